/** Damage for property tests: everything is drawn from a seed, so a failure names the input that made it. */
import { seededNumbers } from '../../src/numbers/random.ts';

/** Names that every object has without anybody having written them. */
export const INHERITED = ['constructor', '__proto__', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__'];

const VALUES: (() => unknown)[] = [
  () => null,
  () => true,
  () => -1,
  () => 0,
  () => 0.5,
  () => 1e308,
  () => 2 ** 53,
  () => '',
  () => 'constructor',
  () => '__proto__',
  () => '(a+)+$',
  () => '\ufdd00\ufdd1\u0000',
  () => 'x'.repeat(5000),
  () => [],
  () => ({}),
  () => [[[[[[[[]]]]]]]],
  () => JSON.parse(`${'['.repeat(3000)}${']'.repeat(3000)}`) as unknown,
  () => JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}') as unknown,
  () => Array.from({ length: 50 }, (_, i) => i),
];

/** A copy of some JSON with one to four places changed, removed, added or renamed. */
export function damagedJson(json: unknown, seed: number): unknown {
  const next = seededNumbers(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const copy = structuredClone(json);
  for (let n = 1 + Math.floor(next() * 4); n > 0; n--) {
    let place = copy;
    while (typeof place === 'object' && place !== null) {
      const keys = Object.keys(place);
      const key = pick(!Array.isArray(place) && next() < 0.1 ? [...keys, ...INHERITED] : keys);
      if (key === undefined) break;
      const inside = (place as Record<string, unknown>)[key];
      if (typeof inside === 'object' && inside !== null && Object.hasOwn(place, key) && next() < 0.75) {
        place = inside;
        continue;
      }
      const value =
        next() < 0.15 ? undefined : next() < 0.2 && keys.length > 0 ? (place as Record<string, unknown>)[pick(keys)] : pick(VALUES)();
      if (value === undefined && Array.isArray(place)) place.splice(Number(key), 1);
      else if (value === undefined) delete (place as Record<string, unknown>)[key];
      else Object.defineProperty(place, key, { value, configurable: true, enumerable: true, writable: true });
      break;
    }
  }
  return copy;
}

/** A copy of some bytes with a few of them changed, cut out or put in; or bytes of its own. */
export function damagedBytes(bytes: Uint8Array, seed: number): Uint8Array {
  const next = seededNumbers(seed);
  const at = (length: number) => Math.floor(next() * length);
  if (next() < 0.1) return Uint8Array.from({ length: at(300) }, () => at(256));
  let copy = bytes.slice();
  for (let n = 1 + at(4); n > 0 && copy.length > 0; n--) {
    // Most damage at the beginning, where the structure is.
    const place = next() < 0.7 ? at(Math.min(copy.length, 400)) : at(copy.length);
    const action = next();
    if (action < 0.6) copy[place] = next() < 0.3 ? 255 : at(256);
    else if (action < 0.8) copy = copy.slice(0, place);
    else copy = Uint8Array.from([...copy.slice(0, place), ...Array.from({ length: at(9) }, () => at(256)), ...copy.slice(place)]);
  }
  return copy;
}

/** A copy of a text with pieces of itself and of `words` cut out and put in. */
export function damagedText(text: string, words: readonly string[], seed: number): string {
  const next = seededNumbers(seed);
  const at = (length: number) => Math.floor(next() * length);
  let copy = text;
  for (let n = 1 + at(4); n > 0; n--) {
    const [from, to] = [at(copy.length + 1), at(copy.length + 1)].sort((a, b) => a - b) as [number, number];
    const action = next();
    if (action < 0.3) copy = copy.slice(0, from) + copy.slice(Math.min(to, from + 8));
    else if (action < 0.7) copy = copy.slice(0, from) + words[at(words.length)]! + copy.slice(from);
    else copy = copy.slice(0, from) + copy.slice(from, Math.min(to, from + 200)) + copy.slice(from);
  }
  return copy;
}
