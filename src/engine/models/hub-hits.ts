import type { FoundRepository } from '../../weights/hub-search.ts';
import { FAMILIES } from '../../nvlm/families/list.ts';
import type { HubHit } from '../api.ts';

const BYTES = new Map<string, number>(
  Object.entries({ F64: 8, I64: 8, F32: 4, I32: 4, U32: 4, F16: 2, BF16: 2, I16: 2, F8_E4M3: 1, I8: 1, U8: 1 }),
);

/** What `parseConfig` reads; a type that is missing here may still be told by its files. */
const MODEL_TYPES = new Set(FAMILIES.flatMap(({ modelTypes }) => modelTypes));

export function hubHit({ tensors, modelType, ...rest }: FoundRepository): HubHit {
  const formats = Object.entries(tensors ?? {});
  const total = (weight: (format: string) => number) => formats.reduce((sum, [format, n]) => sum + n * weight(format), 0);
  return {
    ...rest,
    parameters: formats.length > 0 ? total(() => 1) : null,
    bytes: formats.length > 0 && formats.every(([format]) => BYTES.has(format)) ? total((format) => BYTES.get(format)!) : null,
    modelType,
    loadable: modelType === null ? null : MODEL_TYPES.has(modelType),
  };
}
