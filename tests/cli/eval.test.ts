import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvalAnswer, TaskScore } from '../../src/engine/measure/eval.ts';
import type { QuestionFigures } from '../../src/engine/measure/answer-scores.ts';
import { fixture, runCli, runJson } from './run-cli.ts';

interface EvalDocument {
  tasks: Record<string, TaskScore>;
  accuracy: number;
  backend: string;
  questions: QuestionFigures[];
}

const data = fixture('nano-eval');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nvlm-eval-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function readAnswers(file: string): Promise<EvalAnswer[]> {
  return (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as EvalAnswer);
}

describe('nvlm eval', () => {
  it('marks the same answers correct as the reference', async () => {
    const file = join(folder, 'answers.jsonl');
    const args = ['eval', '--model', 'nano-d', '--data', data, '--limit', '40', '--answers', file, '--backend', 'wasm'];
    const { code, document } = await runJson<EvalDocument>(args);
    expect(code).toBe(0);
    const answers = await readAnswers(file);
    const reference = new Set(JSON.parse(await readFile(join(data, 'nano-d.correct.json'), 'utf8')) as string[]);
    expect(answers).toHaveLength(40);
    // A near tie may fall the other way.
    expect(answers.filter(({ id, correct }) => correct !== reference.has(id)).length).toBeLessThanOrEqual(1);

    expect(Object.keys(document)).toEqual(['tasks', 'accuracy', 'backend', 'questions']);
    expect(document.backend).toBe('wasm');
    expect(document.accuracy).toBe(answers.filter(({ correct }) => correct).length / 40);
    const scores = Object.values(document.tasks);
    expect(scores.reduce((sum, { n }) => sum + n, 0)).toBe(40);
    for (const score of scores) expect(Object.keys(score)).toEqual(['n', 'correct', 'accuracy', 'chance']);
    const sum = (of: (one: EvalDocument['questions'][number]) => number) => document.questions.reduce((all, one) => all + of(one), 0);
    expect([sum(({ asked }) => asked), sum(({ right }) => right)]).toEqual([40, answers.filter(({ correct }) => correct).length]);
  });

  it('falls to chance when every question gets another picture', async () => {
    const args = ['eval', '--model', 'nano-d', '--data', data, '--limit', '30', '--shuffle-images', '--backend', 'wasm'];
    const { document } = await runJson<EvalDocument>(args);
    expect(document.accuracy).toBeLessThan(0.35);
  });

  it('names the rows that it leaves out and asks the rest, JSONL too', async () => {
    const turns = (question: string, answer: string) => [
      { from: 'human', value: question },
      { from: 'gpt', value: answer },
    ];
    const rows = [
      { id: 'good', task: 'text', conversations: turns('What is 2 plus 3?', '5') },
      { id: 'no-turns', conversations: [] },
      { id: 'no-picture', image: 'gone.png', conversations: turns('<image>\nWhat is this?', 'a note') },
      { id: 'no-image-file', image: 'text.png', conversations: turns('<image>\nWhat is this?', 'a note') },
    ];
    const file = join(folder, 'rows.jsonl');
    await writeFile(join(folder, 'text.png'), 'This is no picture.');
    await writeFile(file, `${rows.map((row) => JSON.stringify(row)).join('\n')}\n{"id": "cut"\n`);
    const { code, document, stderr } = await runJson<EvalDocument>(['eval', '--model', 'nano-d', '--data', file, '--backend', 'wasm']);
    expect(code).toBe(0);
    expect(Object.keys(document.tasks)).toEqual(['text']);
    expect(document.tasks.text?.n).toBe(1);
    for (const where of ['rows.jsonl, line 2', 'rows.jsonl, line 3', 'no-image-file', 'rows.jsonl, line 5'])
      expect(stderr).toContain(`left out ${where}: `);
  });

  it('stops with Ctrl-C', async () => {
    const { code, stdout, stderr } = await runCli(['eval', '--model', 'nano-d', '--data', data, '--backend', 'wasm'], {
      onStart: (child) => {
        // The first progress line: it is at work.
        child.stderr!.once('data', () => child.kill('SIGINT'));
      },
    });
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
    expect(stderr).toContain('Stopped.');
  });
});

describe('nvlm data desk', () => {
  it('draws the same data from the same seed, and keeps what is already in a folder', async () => {
    const draw = (name: string, seed: string) =>
      runJson<{ pictures: number; records: number }>(['data', 'desk', '--count', '4', '--seed', seed, '--out', join(folder, name)]);
    const [a] = await Promise.all([draw('a', '7'), draw('b', '7'), draw('c', '8')]);
    expect(a.document).toMatchObject({ pictures: 4, records: 26 });
    const read = (name: string, file: string) => readFile(join(folder, name, file));
    for (const file of ['data.json', 'images/000.png', 'images/003.png']) {
      expect((await read('a', file)).equals(await read('b', file)), file).toBe(true);
      expect((await read('a', file)).equals(await read('c', file)), file).toBe(false);
    }

    const refused = await draw('a', '9');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('--force');
    expect((await read('a', 'data.json')).equals(await read('b', 'data.json'))).toBe(true);
    await mkdir(join(folder, 'empty'));
    expect((await draw('empty', '7')).code).toBe(0);
  });
});

describe('nvlm verify', () => {
  it('compares the ops and says whether all agree', async () => {
    const { code, document } = await runJson<{ ops: object[]; ok: boolean; adapter: null }>(['verify', '--backend', 'cpu']);
    expect(code).toBe(0);
    expect(document).toMatchObject({ ok: true, refused: [], adapter: null });
    expect(document.ops.length).toBeGreaterThan(20);
    for (const op of document.ops)
      expect(Object.keys(op)).toEqual(['op', 'case', 'variant', 'forwardError', 'gradientError', 'bound', 'ok']);
  });
});
