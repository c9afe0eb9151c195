import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ChatResult } from '../../src/engine/api.ts';
import { fixture, runCli, runJson } from './run-cli.ts';

const model = fixture('goldens/nvlm-d');
const NOTE = fixture('nano-eval/images/000.png');

interface GoldenChat {
  image: string;
  prompt: string;
  promptIds: number[];
  maxNewTokens: number;
  ids: number[];
  text: string;
}

async function goldenChat(index: number): Promise<GoldenChat & { args: string[] }> {
  const golden = (JSON.parse(await readFile(join(model, 'chat.json'), 'utf8')) as GoldenChat[])[index]!;
  const limit = ['--max-new-tokens', String(golden.maxNewTokens)];
  return {
    ...golden,
    args: ['chat', '--model', model, '--image', join(model, golden.image), '--prompt', golden.prompt, ...limit],
  };
}

describe('nvlm chat', () => {
  it.each(['wasm', 'webgpu'])('gives the reference answer on %s as the document of the contract', async (backend) => {
    const golden = await goldenChat(0);
    const { code, document, stderr } = await runJson<ChatResult>([...golden.args, '--backend', backend]);
    expect(stderr.includes('software GPU adapter')).toBe(document.adapter?.software ?? false);
    expect(code).toBe(0);
    expect(document.ids).toEqual(golden.ids);
    expect(document.text).toBe(golden.text);
    expect(Object.keys(document)).toEqual(['text', 'ids', 'finishReason', 'usage', 'timings', 'backend', 'adapter']);
    expect(document.usage).toEqual({
      promptTokens: golden.promptIds.length,
      // Four tokens a tile; the image placeholder is id 3.
      visualTokens: golden.promptIds.filter((id) => id === 3).length,
      completionTokens: golden.ids.length,
    });
    expect(Object.keys(document.timings)).toEqual(['loadMs', 'visionMs', 'prefillMs', 'decodeMs']);
    expect(document.finishReason).toBe('length');
    expect(document.backend).toBe(backend);
  });

  it('prints the answer alone for people, with the bundled nano-d', async () => {
    const { code, stdout, stderr } = await runCli(['chat', '--image', NOTE, '--prompt', 'Read everything.', '--backend', 'wasm']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'WCD\nEG3T\n' });
    expect(stderr).toMatch(/^nvlm: nano-d on wasm: \d+ tokens/);
  });

  it('reads the prompt from standard input, and draws equal answers with equal seeds', async () => {
    const args = ['chat', '--prompt', '-', '--temperature', '2', '--top-k', '50', '--max-new-tokens', '12', '--model', model];
    const ask = async (seed: string) => {
      const { document } = await runJson<ChatResult>([...args, '--seed', seed, '--backend', 'wasm'], {
        input: 'What is this?\n',
      });
      return document.ids;
    };
    const [first, again, other] = await Promise.all([ask('5'), ask('5'), ask('6')]);
    expect(first).toHaveLength(12);
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });
});
