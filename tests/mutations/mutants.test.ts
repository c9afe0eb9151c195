/** The lists themselves: a mutant that no longer fits the code tests nothing. `npm run test:mutations` runs them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { mutate, readMutants } from './mutants.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const mutants = readMutants();

describe('the mutants', () => {
  it('each fit the code once, still parse, and name tests that exist', () => {
    const faults = mutants.flatMap((mutant) => {
      try {
        mutate(read(mutant.file), mutant);
        return mutant.tests.filter((test) => !existsSync(join(root, test))).map((test) => `${mutant.fault}: no ${test}`);
      } catch (error) {
        return [`${mutant.fault}: ${(error as Error).message}`];
      }
    });
    expect(faults).toEqual([]);
  });

  it('are each one fault of its own', () => {
    expect(new Set(mutants.map(({ fault }) => fault)).size).toBe(mutants.length);
    expect(new Set(mutants.map(({ file, find, replace }) => `${file} ${find} ${replace}`)).size).toBe(mutants.length);
  });

  it('are at least 80, and every room has some', () => {
    expect(mutants.length).toBeGreaterThanOrEqual(80);
    const rooms = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const wanted = [...rooms.map(({ name }) => `src/${name}/`), 'workers/'];
    expect(wanted.filter((room) => !mutants.some(({ file }) => file.startsWith(room)))).toEqual([]);
  });

  it('reach every file with a WGSL program', () => {
    const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .map((file) => `src/${file.replaceAll('\\', '/')}`)
      .filter((file) => file.endsWith('.ts') && read(file).includes('/* wgsl */'));
    expect(files.length).toBeGreaterThan(10);
    expect(files.filter((file) => !mutants.some((mutant) => mutant.file === file))).toEqual([]);
  });
});

describe('mutate', () => {
  const mutant = { fault: 'f', file: 'a.ts', find: 'b + 1', replace: 'b - $&', tests: [] };

  it('changes that piece alone, and takes the replacement as it is', () => {
    expect(mutate('const a = b + 1;', { ...mutant, replace: 'b - $a' })).toBe('const a = b - $a;');
  });

  it.each([
    ['absent', 'const a = b + 2;', /0 times/],
    ['not unique', 'const a = b + 1, c = b + 1;', /2 times/],
    ['no code any more', 'const a = b + 1;', /does not parse/],
  ])('refuses a text that is %s', (_, source, message) => {
    expect(() => mutate(source, mutant)).toThrow(message);
  });
});
