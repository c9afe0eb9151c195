/** What users get wrong: each ends with a message, what to do next, the right exit code, and clean standard output. */
import { cp, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlainError } from '../../src/errors.ts';
import { crc32 } from '../../src/files/crc32.ts';
import { fixture, runCli, runJson } from './run-cli.ts';

const golden = fixture('goldens/nvlm-d');
const picture = join(golden, '../data/0.png');
let folder: string;

function chunk(type: string, body: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(named) >>> 0);
  return Buffer.concat([length, named, sum]);
}

/** A grey PNG of this size that declares so and whose pixel data is `bytes` zeros. */
function greyPng(width: number, height: number, bytes = (width + 1) * height): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const pixels = deflateSync(Buffer.alloc(bytes), { level: 1 });
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND', new Uint8Array(0))]);
}

/** A copy of the golden model, changed. */
async function brokenModel(name: string, change: (model: string) => Promise<void>): Promise<void> {
  const model = join(folder, name);
  await cp(golden, model, { recursive: true, filter: (path) => !path.endsWith('forward') });
  await change(model);
}

async function editConfig(model: string, changes: object): Promise<void> {
  const config = JSON.parse(await readFile(join(model, 'config.json'), 'utf8')) as object;
  await writeFile(join(model, 'config.json'), JSON.stringify({ ...config, ...changes }));
}

async function putNaN(model: string): Promise<void> {
  const file = join(model, 'model.safetensors');
  const bytes = await readFile(file);
  bytes.writeFloatLE(NaN, bytes.length - 4);
  await writeFile(file, bytes);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nvlm-bad-'));
  const png = await readFile(picture);
  await Promise.all([
    writeFile(join(folder, 'text.png'), 'This is no picture.'),
    writeFile(join(folder, 'truncated.png'), png.subarray(0, png.length / 2)),
    writeFile(join(folder, '1x1.png'), greyPng(1, 1)),
    writeFile(join(folder, 'strip.png'), greyPng(20_000, 20)),
    writeFile(join(folder, '30mp.png'), greyPng(6000, 5000)),
    writeFile(join(folder, 'bomb.png'), greyPng(50, 50, 100_000_000)),
    brokenModel('no-config', (model) => rm(join(model, 'config.json'))),
    brokenModel('no-weights', (model) => rm(join(model, 'model.safetensors'))),
    brokenModel('no-tokenizer', (model) => rm(join(model, 'tokenizer.json'))),
    brokenModel('bad-config', (model) => writeFile(join(model, 'config.json'), '{"model_type": ')),
    brokenModel('short-weights', (model) => truncate(join(model, 'model.safetensors'), 100_000)),
    brokenModel('nan-weights', putNaN),
    brokenModel('unknown', (model) => editConfig(model, { model_type: 'mystery', architecture: 'NVLM_Z', architectures: ['Mystery'] })),
  ]);
});
afterAll(() => rm(folder, { recursive: true }));

interface Case {
  what: string;
  args: string[];
  exit: 1 | 2;
  code: string;
  message: RegExp;
}

const chat = (...args: string[]) => ['chat', '--backend', 'wasm', '--prompt', 'What is this?', ...args];
const withImage = (file: string) => chat('--image', file);
const withModel = (name: string) => chat('--model', name);

const CASES: Case[] = [
  { what: 'a missing image', args: withImage('gone.png'), exit: 1, code: 'not-found', message: /gone\.png/ },
  { what: 'a file that is no image', args: withImage('text.png'), exit: 1, code: 'bad-image', message: /not/ },
  {
    what: 'a truncated image',
    args: withImage('truncated.png'),
    exit: 1,
    code: 'bad-image',
    message: /incomplete|ends/,
  },
  { what: 'a 1×1 image', args: ['inspect', '1x1.png'], exit: 1, code: 'bad-image', message: /1×1/ },
  { what: 'a 20000×20 image', args: ['inspect', 'strip.png'], exit: 1, code: 'bad-image', message: /20000×20/ },
  {
    what: 'a 30-megapixel image',
    args: ['inspect', '30mp.png'],
    exit: 1,
    code: 'image-too-large',
    message: /30\.0 megapixels/,
  },
  {
    what: 'a PNG that inflates to far more than it declares',
    args: ['inspect', 'bomb.png'],
    exit: 1,
    code: 'bad-image',
    message: /PNG/,
  },
  { what: 'an empty prompt', args: ['chat', '--prompt', ' '], exit: 1, code: 'empty-prompt', message: /empty/ },
  {
    what: 'a prompt past the context',
    args: ['chat', '--backend', 'wasm', '--prompt', 'word '.repeat(20_000)],
    exit: 1,
    code: 'prompt-too-long',
    message: /over the model's \d+/,
  },
  { what: 'a model that does not exist', args: withModel('nano-z'), exit: 1, code: 'not-found', message: /nano-z/ },
  { what: 'a file in place of a model', args: withModel('text.png'), exit: 1, code: 'not-found', message: /folder/ },
  {
    what: 'a model without config.json',
    args: withModel('no-config'),
    exit: 1,
    code: 'not-found',
    message: /config\.json/,
  },
  {
    what: 'a model without weights',
    args: withModel('no-weights'),
    exit: 1,
    code: 'not-found',
    message: /model\.safetensors/,
  },
  {
    what: 'a model without tokenizer',
    args: withModel('no-tokenizer'),
    exit: 1,
    code: 'not-found',
    message: /tokenizer/,
  },
  {
    what: 'a model with a broken config.json',
    args: withModel('bad-config'),
    exit: 1,
    code: 'bad-model',
    message: /config\.json/,
  },
  {
    what: 'a model with cut weights',
    args: withModel('short-weights'),
    exit: 1,
    code: 'bad-model',
    message: /model\.safetensors/,
  },
  {
    what: 'NaN weights',
    args: withModel('nan-weights'),
    exit: 1,
    code: 'bad-model',
    message: /NaN|not a number|not finite/i,
  },
  {
    what: 'an unknown architecture',
    args: withModel('unknown'),
    exit: 1,
    code: 'unsupported-model',
    message: /NVLM_Z|mystery/,
  },
  { what: 'an unknown flag', args: chat('--imgae', 'x'), exit: 2, code: 'usage', message: /--imgae.*--image/ },
  { what: 'an unknown command', args: ['chta'], exit: 2, code: 'usage', message: /chta.*chat/ },
  { what: 'no command', args: [], exit: 2, code: 'usage', message: /No command/ },
  { what: 'a missing argument', args: ['inspect'], exit: 2, code: 'usage', message: /image/ },
  { what: 'a missing option', args: ['eval', '--model', 'nano-d'], exit: 2, code: 'usage', message: /--data/ },
  {
    what: 'a number that is none',
    args: chat('--temperature', 'hot'),
    exit: 2,
    code: 'usage',
    message: /--temperature.*hot/,
  },
  {
    what: 'a number out of range',
    args: ['inspect', picture, '--max-tiles', '13'],
    exit: 2,
    code: 'usage',
    message: /cannot be 13/,
  },
  {
    what: 'a tile size between steps',
    args: ['inspect', picture, '--tile-size', '100'],
    exit: 2,
    code: 'usage',
    message: /100/,
  },
  { what: 'an unknown backend', args: chat('--backend', 'cuda'), exit: 2, code: 'usage', message: /cuda/ },
  {
    what: 'inputs of another model',
    args: ['forward', '--model', golden, '--inputs', picture, '--output', 'never.safetensors'],
    exit: 1,
    code: 'bad-model',
    message: /0\.png/,
  },
  {
    what: 'a data folder without data',
    args: ['eval', '--model', 'nano-d', '--data', 'no-config'],
    exit: 1,
    code: 'bad-data',
    message: /holds no question/,
  },
];

describe.concurrent('bad input', () => {
  it.each(CASES)('$what', async ({ args, exit, code, message }) => {
    const result = await runJson<{ error: PlainError }>(args, { cwd: folder });
    expect(result.document.error).toEqual({
      code,
      message: expect.stringMatching(message),
      fix: expect.stringMatching(/^[A-Z].{10,}/),
    });
    expect(result.code).toBe(exit);
    expect(result.stderr).toContain(`nvlm: ${result.document.error.message}\n${result.document.error.fix}\n`);
    // A stack trace is no message.
    expect(result.stderr).not.toMatch(/^\s+at /m);
  });
});

it('WebGPU by name, where the Vulkan driver is none, says so in these words alone', async () => {
  const drivers = join(folder, 'drivers');
  await mkdir(drivers);
  await writeFile(join(drivers, 'libvulkan.so.1'), 'no library');
  for (const args of [chat('--backend', 'webgpu'), ['verify', '--backend', 'webgpu']]) {
    const { code, stdout, stderr } = await runCli(args, { cwd: folder, env: { LD_LIBRARY_PATH: drivers } });
    expect(stderr).toBe(
      'nvlm: No Vulkan driver that is installed here has a GPU adapter that WebGPU can use.\n' +
        'Use the wasm backend, or a browser or machine with a GPU adapter.\n',
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  }
});
