import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlainError } from '../../src/errors.ts';
import { fixture, runCli, runJson } from './run-cli.ts';

interface Checked {
  records: number;
  pictures: number;
  problems: { where: string; reason: string }[];
  notes: { where: string; reason: string }[];
  list: { image: string | null; messages: { role: string; content: string }[] }[];
}

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'nvlm-check-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('nvlm data check', () => {
  it('says what is read, what is not and why, and the first records as they will be trained', async () => {
    const { code, document } = await runJson<Checked>(['data', 'check', fixture('cases/cli-vs-page'), '--list', '1']);
    expect(code).toBe(0);
    expect(document).toMatchObject({ records: 8, pictures: 1 });
    expect(document.problems.map(({ where }) => where)).toEqual([3, 4, 5, 12, 13].map((row) => `data.json, record ${row}`));
    const messages = [
      { role: 'user', content: '<image>\nWhat?' },
      { role: 'assistant', content: 'red' },
    ];
    expect(document.list).toEqual([{ id: '1', task: 'all', heldOut: false, image: 'a.png', messages }]);
  });

  it('fails with what is wrong when there is nothing to learn from, and tells wrong usage from it', async () => {
    const file = join(folder, 'rows.csv');
    await writeFile(file, 'question,answer\nWhat?,\n');
    const nothing = await runJson<Checked>(['data', 'check', file]);
    expect([nothing.code, nothing.document.records, nothing.document.problems]).toEqual([
      1,
      0,
      [{ where: 'rows.csv, line 2', reason: 'it has no answer' }],
    ]);
    const gone = await runJson<{ error: PlainError }>(['data', 'check', join(folder, 'gone')]);
    expect([gone.code, gone.document.error.code]).toEqual([1, 'not-found']);
    expect((await runCli(['data', 'check'])).code).toBe(2);
  });

  it('says which pictures a model sees otherwise than people do, as chat and inspect do', async () => {
    const grey = join(folder, 'grey');
    await mkdir(grey);
    await copyFile(fixture('tiling/files/grey-16bit.png'), join(grey, 'a.png'));
    const conversations = [
      { from: 'human', value: '<image>\nWhat?' },
      { from: 'gpt', value: 'Grey.' },
    ];
    await writeFile(join(grey, 'rows.json'), JSON.stringify([{ image: 'a.png', conversations }]));
    const said = expect.stringContaining('it is grey of 16 bits') as string;
    for (const path of [grey, join(grey, 'rows.json')]) {
      const { document } = await runJson<Checked>(['data', 'check', path]);
      expect(document).toMatchObject({ records: 1, problems: [], notes: [{ where: 'a.png', reason: said }] });
    }
    const inspected = await runJson<{ warnings: string[] }>(['inspect', join(grey, 'a.png')]);
    expect(inspected.document.warnings).toEqual([said]);
  });
});

describe('train and eval', () => {
  it('read the same forms: parquet, a zip', async () => {
    const parquet = fixture('cases/parquet/llava_zstd.parquet');
    const asked = await runJson<{ tasks: Record<string, { n: number }> }>([
      'eval',
      '--model',
      'nano-d',
      '--data',
      parquet,
      '--backend',
      'wasm',
    ]);
    expect(asked.document.tasks.all?.n).toBe(2);
    const run = join(folder, 'run.json');
    const zip = fixture('cases/picture-names/backslash.zip');
    await writeFile(
      run,
      JSON.stringify({ model: 'nano-d', data: zip, held_out: parquet, lora: { rank: 2 }, batch: 1, steps: 1, out: 'out' }),
    );
    const planned = await runJson<{ problems: object[]; verdict: string }>(['train', '--config', run, '--plan', '--backend', 'wasm']);
    expect(planned.document).toMatchObject({ problems: [], verdict: 'fits' });
  });
});
