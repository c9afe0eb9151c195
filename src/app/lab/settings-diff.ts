import type { RunRequest } from '../../engine/runs/training-api.ts';
import { modelTitle } from '../../engine/models/model-address.ts';

/** Said at most; the rest is counted. */
const MOST_SAID = 3;

/** What changed in the settings against another run, in short words: `lr 0.001 → 0.0005, seed 1 → 2`. */
export function settingsDiff(before: RunRequest, after: RunRequest): string {
  const [old, now] = [flat(before), flat(after)];
  const keys = [...new Set([...old.keys(), ...now.keys()])].filter((key) => old.get(key) !== now.get(key));
  if (keys.length === 0) return 'nothing';
  const said = keys.slice(0, MOST_SAID).map((key) => `${key.split('.').at(-1)} ${old.get(key) ?? '–'} → ${now.get(key) ?? '–'}`);
  const more = keys.length - said.length;
  return said.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function flat({ model, run }: RunRequest): Map<string, string> {
  const found = new Map([['model', modelTitle(model)]]);
  const add = (value: unknown, path: string): void => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      for (const [key, inner] of Object.entries(value)) add(inner, path ? `${path}.${key}` : key);
    else if (value !== undefined && value !== null) found.set(path, Array.isArray(value) ? value.join('+') : String(value));
  };
  add(run, '');
  return found;
}
