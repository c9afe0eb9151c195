import { NvlmError } from '../errors.ts';

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

const MAX_DEPTH = 64;
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS: [string, JsonValue][] = [
  ['true', true],
  ['false', false],
  ['null', null],
];

/**
 * JSON for files in which two readers must not disagree: unlike `JSON.parse` it refuses duplicate keys (of which
 * parsers keep different ones) and the keys that name prototypes, and it bounds nesting. Objects have no prototype.
 * @throws NvlmError `bad-model` that starts with `what`.
 */
export function parseStrictJson(text: string, what: string): JsonValue {
  let at = 0;

  const fail = (why: string): never => {
    throw new NvlmError(
      'bad-model',
      `${what} is not valid: ${why} at character ${at}.`,
      'Get the model again from its source; this file is damaged.',
    );
  };

  function space(): void {
    for (;;) {
      const code = text.charCodeAt(at);
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return;
      at++;
    }
  }

  function string(): string {
    const start = at;
    for (at++; ; at++) {
      const code = text.charCodeAt(at);
      if (code === 34) break;
      if (code === 92) at++;
      else if (!(code >= 32)) fail('unfinished text');
    }
    at++;
    const raw = text.slice(start, at);
    if (!raw.includes('\\')) return raw.slice(1, -1);
    try {
      return JSON.parse(raw) as string;
    } catch {
      return fail('bad escape');
    }
  }

  function object(depth: number): JsonObject {
    const result = Object.create(null) as JsonObject;
    at++;
    space();
    if (text[at] === '}') return (at++, result);
    for (;;) {
      space();
      if (text[at] !== '"') fail('a key was expected');
      const key = string();
      if (FORBIDDEN.has(key)) fail(`forbidden key "${key}"`);
      if (key in result) fail(`key "${key.slice(0, 80)}" stands twice`);
      space();
      if (text[at] !== ':') fail('":" was expected');
      at++;
      result[key] = value(depth + 1);
      space();
      const next = text[at++];
      if (next === '}') return result;
      if (next !== ',') fail('"," or "}" was expected');
    }
  }

  function array(depth: number): JsonValue[] {
    const result: JsonValue[] = [];
    at++;
    space();
    if (text[at] === ']') return (at++, result);
    for (;;) {
      result.push(value(depth + 1));
      space();
      const next = text[at++];
      if (next === ']') return result;
      if (next !== ',') fail('"," or "]" was expected');
    }
  }

  function value(depth: number): JsonValue {
    if (depth > MAX_DEPTH) fail('nested too deeply');
    space();
    const first = text[at];
    if (first === '{') return object(depth);
    if (first === '[') return array(depth);
    if (first === '"') return string();
    for (const [word, meaning] of WORDS) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return meaning;
      }
    }
    NUMBER.lastIndex = at;
    const number = NUMBER.exec(text)?.[0];
    if (number === undefined) return fail('a value was expected');
    at += number.length;
    return Number(number);
  }

  const result = value(0);
  space();
  if (at < text.length) fail('something follows the end');
  return result;
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
