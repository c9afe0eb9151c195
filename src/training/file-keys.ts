import { NvlmError } from '../errors.ts';

/** A kind of file that people write: what it is called, and how much one may hold. */
export interface FileKind {
  /** `run file` */
  name: string;
  /** Where it says what it holds. */
  see: string;
  mostCharacters: number;
  mostEntries: number;
}

/** One object of such a file, untrusted; remembers which keys were asked for, so that a misspelt one is found. */
export class FileKeys {
  readonly given: boolean;
  private readonly values: Map<string, unknown>;
  private readonly known = new Set<string>();

  constructor(
    json: unknown,
    private readonly path: string,
    private readonly kind: FileKind,
    required = true,
  ) {
    this.given = json !== undefined && json !== null;
    if ((this.given || required) && (typeof json !== 'object' || json === null || Array.isArray(json))) {
      throw new NvlmError('usage', `${path} is not a JSON object.`, kind.see);
    }
    this.values = new Map(Object.entries(json ?? {}));
  }

  has(key: string): boolean {
    return this.take(key) !== undefined;
  }

  keys(): string[] {
    return [...this.values.keys()].slice(0, this.kind.mostEntries);
  }

  all(): Record<string, unknown> {
    return Object.fromEntries(this.values);
  }

  /** An empty one where it is not `given`. */
  object(key: string): FileKeys {
    return this.inner(key, this.take(key), false);
  }

  requiredObject(key: string): FileKeys {
    return this.inner(key, this.take(key), true);
  }

  objects(key: string): FileKeys[] {
    return this.list(key).map((entry, i) => this.inner(`${key}[${i}]`, entry, true));
  }

  text(key: string): string {
    return this.optionalText(key) ?? this.fail(key, 'is missing');
  }

  optionalText(key: string): string | null {
    const value = this.take(key) ?? null;
    return value === null || this.isText(value) ? value : this.fail(key, 'is not a text');
  }

  /** Stands in file names. */
  name(key: string): string {
    const value = this.text(key);
    return /^[a-z0-9][a-z0-9-]{0,63}$/.test(value) ? value : this.fail(key, 'is not a name of small letters, digits and dashes');
  }

  texts(key: string): string[] | null {
    if ((this.take(key) ?? null) === null) return null;
    const list = this.list(key);
    return list.every((entry) => this.isText(entry)) ? (list as string[]) : this.fail(key, 'is not a list of texts');
  }

  /** @param fallback null = the key must be there */
  oneOf<T extends string | number>(key: string, allowed: readonly T[], fallback: T | null): T {
    const value = this.take(key) ?? fallback;
    if (value === null) return this.fail(key, 'is missing');
    return allowed.find((option) => option === value) ?? this.fail(key, `is not one of ${allowed.join(', ')}`);
  }

  optionalOneOf<T extends string>(key: string, allowed: readonly T[]): T | null {
    return (this.take(key) ?? null) === null ? null : this.oneOf(key, allowed, null);
  }

  boolean(key: string, fallback: boolean): boolean {
    return this.optionalBoolean(key) ?? fallback;
  }

  optionalBoolean(key: string): boolean | null {
    const value = this.take(key) ?? null;
    return value === null || typeof value === 'boolean' ? value : this.fail(key, 'is not true or false');
  }

  /** @param fallback null = the key must be there */
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
    return (this.take(key) ?? null) === null ? null : this.integer(key, null, least, most);
  }

  integers(key: string, least: number, most: number): number[] | null {
    if ((this.take(key) ?? null) === null) return null;
    const list = this.list(key);
    const fits = list.every((entry) => Number.isInteger(entry) && (entry as number) >= least && (entry as number) <= most);
    return fits ? (list as number[]) : this.fail(key, `is not a list of whole numbers from ${least} to ${most}`);
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

  fail(key: string, what: string): never {
    throw new NvlmError('usage', `${this.path}: "${key}" ${what}.`, `Correct the ${this.kind.name}.`);
  }

  private inner(key: string, json: unknown, required: boolean): FileKeys {
    return new FileKeys(json, `${this.path}: ${key}`, this.kind, required);
  }

  private isText(value: unknown): value is string {
    return typeof value === 'string' && value !== '' && value.length <= this.kind.mostCharacters;
  }

  private list(key: string): unknown[] {
    const value = this.take(key);
    const { mostEntries } = this.kind;
    const fits = Array.isArray(value) && value.length > 0 && value.length <= mostEntries;
    return fits ? value : this.fail(key, `is not a list of 1 to ${mostEntries} entries`);
  }

  private take(key: string): unknown {
    this.known.add(key);
    return this.values.get(key);
  }
}
