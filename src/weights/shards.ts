import { DTYPE_BYTES } from './dtype.ts';
import type { TensorSpec } from './safetensors.ts';

export interface Shard<T extends TensorSpec> {
  file: string;
  tensors: T[];
}

function bytesOf({ dtype, shape }: TensorSpec): number {
  return shape.reduce((product, size) => product * size, DTYPE_BYTES[dtype]);
}

/**
 * Spreads tensors, in order, over files of at most `maxBytes` of data (a larger tensor gets a file of its own), with
 * the names and the index that the ecosystem expects. One shard is plain `model.safetensors` and has no index.
 */
export function planShards<T extends TensorSpec>(
  tensors: readonly T[],
  maxBytes: number,
): { shards: Shard<T>[]; index: { metadata: { total_size: number }; weight_map: Record<string, string> } | null } {
  const groups: T[][] = [];
  let room = 0;
  let totalBytes = 0;
  for (const tensor of tensors) {
    const bytes = bytesOf(tensor);
    totalBytes += bytes;
    const current = groups.at(-1);
    if (current && bytes <= room) current.push(tensor);
    else {
      groups.push([tensor]);
      room = maxBytes;
    }
    room -= bytes;
  }
  const number = (n: number) => String(n).padStart(5, '0');
  const shards = groups.map((group, i) => ({
    file: groups.length === 1 ? 'model.safetensors' : `model-${number(i + 1)}-of-${number(groups.length)}.safetensors`,
    tensors: group,
  }));
  if (shards.length <= 1) return { shards, index: null };
  const places = shards.flatMap(({ file, tensors: group }) => group.map(({ name }) => [name, file] as const));
  return { shards, index: { metadata: { total_size: totalBytes }, weight_map: Object.fromEntries(places) } };
}
