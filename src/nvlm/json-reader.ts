import { NvlmError } from '../errors.ts';

/** Typed, bounded access to one object of an untrusted JSON file; every complaint names file, key and what was found. */
export class JsonReader {
  private constructor(
    private readonly values: ReadonlyMap<string, unknown>,
    private readonly path: string,
  ) {}

  static open(json: unknown, path: string): JsonReader {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new NvlmError('bad-model', `${path} is not a JSON object.`, 'Get the file again from where the model was published.');
    }
    // A Map, so that keys such as "__proto__" or "constructor" are only ever data.
    return new JsonReader(new Map(Object.entries(json)), path);
  }

  has(key: string): boolean {
    const value = this.values.get(key);
    return value !== undefined && value !== null;
  }

  object(key: string): JsonReader {
    return JsonReader.open(this.values.get(key), `${this.path}: ${key}`);
  }

  string(key: string, fallback: string): string {
    if (!this.has(key)) return fallback;
    const value = this.values.get(key);
    if (typeof value !== 'string' || value.length > 65_536) throw this.error(key, 'is not a text');
    return value;
  }

  /** First text of a list, or ''. */
  firstString(key: string): string {
    const value = this.values.get(key);
    return Array.isArray(value) && typeof value[0] === 'string' ? value[0] : '';
  }

  /** The values of an object of texts, in the file's order. */
  strings(): string[] {
    return [...this.values.keys()].map((key) => this.string(key, ''));
  }

  boolean(key: string, fallback: boolean): boolean {
    if (!this.has(key)) return fallback;
    const value = this.values.get(key);
    if (typeof value !== 'boolean') throw this.error(key, 'is not true or false');
    return value;
  }

  oneOf<T extends string>(key: string, allowed: readonly T[], fallback: T): T {
    if (!this.has(key)) return fallback;
    const value = this.values.get(key);
    const found = allowed.find((option) => option === value);
    if (found === undefined) throw this.error(key, `is not one of ${allowed.join(', ')}`);
    return found;
  }

  /** `fallback` null: the key is required. */
  number(key: string, fallback: number | null, minimum: number, maximum: number): number {
    if (!this.has(key)) {
      if (fallback === null) throw this.error(key, 'is missing');
      return fallback;
    }
    const value = this.values.get(key);
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.error(key, 'is not a number');
    if (value < minimum || value > maximum) throw this.error(key, `is ${value}, outside ${minimum} to ${maximum}`);
    return value;
  }

  integer(key: string, fallback: number | null, minimum: number, maximum: number): number {
    const value = this.number(key, fallback, minimum, maximum);
    if (!Number.isInteger(value)) throw this.error(key, `is ${value}, not a whole number`);
    return value;
  }

  /** A whole number, or a pair of equal ones: the side of a square. */
  side(key: string, fallback: number, minimum: number, maximum: number): number {
    const value = this.values.get(key);
    if (!Array.isArray(value)) return this.integer(key, fallback, minimum, maximum);
    const [height, width] = value as unknown[];
    if (value.length !== 2 || height !== width) throw this.error(key, 'is not the size of a square');
    return JsonReader.open({ [key]: height }, this.path).integer(key, null, minimum, maximum);
  }

  /** Three numbers: one a colour channel. */
  triple(key: string, fallback: readonly [number, number, number], minimum: number, maximum: number): [number, number, number] {
    if (!this.has(key)) return [...fallback];
    const value = this.values.get(key);
    if (!Array.isArray(value) || value.length !== 3) throw this.error(key, 'is not a list of three numbers');
    const [first, second, third] = value.map((one: unknown) =>
      JsonReader.open({ [key]: one }, this.path).number(key, null, minimum, maximum),
    );
    return [first!, second!, third!];
  }

  error(key: string, what: string): NvlmError {
    return new NvlmError(
      'bad-model',
      `${this.path}: ${key} ${what}.`,
      'Check that the file belongs to this model and is complete; get it again if in doubt.',
    );
  }
}
