import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCli, runJson } from './run-cli.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nvlm-teach-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('draws a lesson: what is to be learnt, what is held out, and what is replayed', async () => {
  const counts = ['--count', '3', '--held-out', '2', '--replay', '1'];
  const { document } = await runJson<{ pictures: number }>(['data', 'desk', '--teach', 'due', ...counts, '--out', folder]);
  expect(document.pictures).toBe(6);
  expect(await readdir(join(folder, 'images'))).toHaveLength(6);
  const records = async (file: string) => JSON.parse(await readFile(join(folder, file), 'utf8')) as { task: string }[];
  for (const file of ['data.json', 'held-out.json']) {
    const tasks = (await records(file)).map(({ task }) => task);
    expect(new Set(tasks)).toEqual(new Set(['receipt: due', 'receipt: beside an amount due, price']));
  }
  expect((await records('replay.json')).some(({ task }) => task.startsWith('text: '))).toBe(true);
});

it('names the lessons that there are', async () => {
  const { code, stderr } = await runCli(['data', 'desk', '--teach', 'heart', '--count', '1', '--out', join(folder, 'x')]);
  expect(code).toBe(2);
  expect(stderr).toContain('ring, due');
});
