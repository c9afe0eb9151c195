import { NvlmError } from '../errors.ts';

/** Longest text and longest list that a run file may hold. */
const MOST_CHARACTERS = 4096;
const MOST_ENTRIES = 10_000;

/** One object of the run file, untrusted; remembers which keys were asked for, so that a misspelt one is found. */
export class RunKeys {
  readonly given: boolean;
  private readonly values: Map<string, unknown>;
  private readonly known = new Set<string>();

  constructor(
    json: unknown,
    private readonly path: string,
    required = true,
  ) {
    this.given = json !== undefined && json !== null;
    if ((this.given || required) && (typeof json !== 'object' || json === null || Array.isArray(json))) {
      throw new NvlmError('usage', `${path} is not a JSON object.`, 'See `train` in the README for what it holds.');
    }
    this.values = new Map(Object.entries(json ?? {}));
  }

  object(key: string): RunKeys {
    return new RunKeys(this.take(key), `${this.path}: ${key}`, false);
  }

  text(key: string): string {
    return this.optionalText(key) ?? this.fail(key, 'is missing');
  }

  optionalText(key: string): string | null {
    const value = this.take(key) ?? null;
    if (value === null) return null;
    if (typeof value !== 'string' || value === '' || value.length > MOST_CHARACTERS) return this.fail(key, 'is not a text');
    return value;
  }

  texts(key: string): string[] | null {
    const value = this.take(key) ?? null;
    if (value === null) return null;
    const fits = (entry: unknown) => typeof entry === 'string' && entry !== '' && entry.length <= MOST_CHARACTERS;
    if (!Array.isArray(value) || value.length === 0 || value.length > MOST_ENTRIES || !value.every(fits)) {
      return this.fail(key, 'is not a list of texts');
    }
    return value as string[];
  }

  /** @param fallback null = the key must be there */
  oneOf<T extends string | number>(key: string, allowed: readonly T[], fallback: T | null): T {
    const value = this.take(key) ?? fallback;
    if (value === null) return this.fail(key, 'is missing');
    return allowed.find((option) => option === value) ?? this.fail(key, `is not one of ${allowed.join(', ')}`);
  }

  optionalOneOf<T extends string>(key: string, allowed: readonly T[]): T | null {
    return (this.values.get(key) ?? null) === null ? (this.known.add(key), null) : this.oneOf(key, allowed, null);
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.take(key) ?? fallback;
    return typeof value === 'boolean' ? value : this.fail(key, 'is not true or false');
  }

  number(key: string, fallback: number | null, least: number, most: number): number {
    const value = this.take(key) ?? fallback;
    if (value === null) return this.fail(key, 'is missing');
    if (typeof value !== 'number' || !(value >= least && value <= most)) {
      return this.fail(key, `is not a number from ${least} to ${most}`);
    }
    return value;
  }

  integer(key: string, fallback: number | null, least: number, most: number): number {
    const value = this.number(key, fallback, least, most);
    return Number.isInteger(value) ? value : this.fail(key, 'is not a whole number');
  }

  optionalInteger(key: string, least: number, most: number): number | null {
    return (this.values.get(key) ?? null) === null ? (this.known.add(key), null) : this.integer(key, null, least, most);
  }

  betas(key: string): [number, number] {
    const value = this.take(key) ?? [0.9, 0.95];
    const fits = (beta: unknown) => typeof beta === 'number' && beta >= 0 && beta < 1;
    if (!Array.isArray(value) || value.length !== 2 || !value.every(fits)) return this.fail(key, 'is not two numbers from 0 to below 1');
    return value as [number, number];
  }

  refuseOthers(): void {
    const unknown = [...this.values.keys()].find((key) => !this.known.has(key));
    if (unknown === undefined) return;
    throw new NvlmError('usage', `${this.path}: there is no key "${unknown.slice(0, 80)}".`, `It may hold ${[...this.known].join(', ')}.`);
  }

  private take(key: string): unknown {
    this.known.add(key);
    return this.values.get(key);
  }

  private fail(key: string, what: string): never {
    throw new NvlmError('usage', `${this.path}: "${key}" ${what}.`, 'Correct the run file.');
  }
}
