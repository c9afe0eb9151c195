import type { ModelRequest } from '../engine/engine-start.ts';
import { firstRequests } from '../engine/models/first-requests.ts';
import type { Preferences } from './preferences.ts';

const BEGUN = 'begun';

/**
 * What to ask for before the engine is there, so that the model which the page is about to load is on its way: nothing where this browser
 * has begun it before, for then the engine finds in its storage all of it or a part, and knows what is missing.
 */
export function headStartOf(model: string, preferences: Preferences): ModelRequest[] {
  const before = preferences.read(BEGUN, isNames) ?? [];
  const requests = before.includes(model) ? [] : firstRequests(model);
  if (requests.length > 0) preferences.write(BEGUN, [...before, model]);
  return requests;
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string');
}
