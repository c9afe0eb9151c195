import { unsupportedModel } from '../unsupported-model.ts';
import type { JsonReader } from '../json-reader.ts';
import { declaredArchitecture } from '../nested-config.ts';
import type { OwnModule } from '../naming.ts';
import type { Family } from './family.ts';
import { internvl } from './internvl/family.ts';
import { nanovlm, nanovlmWhole } from './nanovlm/family.ts';
import { nvlmD } from './nvlm-d/family.ts';
import { nvlmH } from './nvlm-h/family.ts';
import { nvlmX } from './nvlm-x/family.ts';
import { smolvlm } from './smolvlm/family.ts';
import { text } from './text/family.ts';

/** Every family there is. */
export const FAMILIES: readonly Family[] = [nvlmD, nvlmX, nvlmH, internvl, smolvlm, nanovlm, nanovlmWhole, text];

/** @throws NvlmError `unsupported-model` that names what the file describes */
export function familyOf(config: JsonReader): Family {
  const family = FAMILIES.find(({ recognises }) => recognises(config));
  if (family) return family;
  const modelType = config.string('model_type', '');
  const name = config.has('llm_config') ? declaredArchitecture(config) : modelType || config.string('architecture', '');
  const encoder = config.string('mm_vision_tower', '');
  throw unsupportedModel(encoder ? `${name} with ${encoder}` : name || 'no model_type');
}

/**
 * What a module that a LoRA adapter names may be in this project, the likeliest first: adapters take names from the class that they were
 * made with, the whole model's or the language model's alone.
 */
export function ownModules(given: string): OwnModule[] {
  const whole = (module: string): OwnModule => ({ module, part: 0, parts: 1 });
  const namings = new Set(FAMILIES.flatMap((family) => family.namings));
  return [
    whole(given),
    whole(`language_model.${given}`),
    whole(given.replace(/^language_model\./, '')),
    ...[...namings].flatMap(({ ownModule }) => ownModule(given) ?? []),
  ];
}
