/** Whatever a stranger's file holds, reading it gives a right value or a typed error, soon and in little memory. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stopIdsOf } from '../../src/engine/chat/special-tokens.ts';
import { hubHit } from '../../src/engine/models/hub-hits.ts';
import { NvlmError } from '../../src/errors.ts';
import { parseConfig } from '../../src/nvlm/parse-config.ts';
import { createChatTemplate } from '../../src/text/chat-template.ts';
import { renderConversation } from '../../src/text/conversation.ts';
import { createTokenizer } from '../../src/text/tokenizer.ts';
import type { ChatMessage } from '../../src/text/types.ts';
import { readAdapterConfig } from '../../src/nvlm/adapters/adapter-config.ts';
import { parseRun } from '../../src/training/run-config.ts';
import { selectTrained } from '../../src/training/trained-tensors.ts';
import { parseSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts';
import type { JsonObject } from '../../src/weights/strict-json.ts';
import { damagedBytes, damagedJson, damagedText, INHERITED } from './mutate.ts';

const RUNS = 10_000;
/** For one input; most take a hundredth of it. */
const MOST_MS = 2500;
const MOST_HEAP_GROWTH = 300e6;

const path = (name: string) => new URL(`../fixtures/${name}`, import.meta.url);
const json = (name: string): unknown => JSON.parse(readFileSync(path(name), 'utf8'));

/** `read` on as many inputs, each made of a number. What it returns must be true. */
function holds(read: (seed: number) => boolean, numRuns = RUNS): void {
  const before = process.memoryUsage().heapUsed;
  const bounded = (seed: number): boolean => {
    const start = performance.now();
    let isRight: boolean;
    try {
      isRight = read(seed);
    } catch (error) {
      if (!(error instanceof NvlmError) || error.code === 'internal' || error.fix === '') throw error;
      isRight = true;
    }
    return isRight && performance.now() - start < MOST_MS;
  };
  fc.assert(fc.property(fc.noShrink(fc.integer()), bounded), { numRuns });
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(MOST_HEAP_GROWTH);
  expect(Object.keys(Object.prototype)).toEqual([]);
}

describe('any input gives a value or a typed error', () => {
  it('safetensors', () => {
    const file = writeSafetensors([
      { name: 'a.weight', dtype: 'F32', shape: [2, 3], data: new Float32Array(6) },
      { name: 'b', dtype: 'U8', shape: [4], data: new Uint8Array(4) },
    ]);
    holds((seed) => {
      const tensors = [...parseSafetensors(damagedBytes(file, seed), 'x').values()];
      return tensors.every(
        ({ shape, bytes }) => shape.every((size) => Number.isSafeInteger(size) && size >= 0) && bytes.length <= file.length + 40,
      );
    });
  });

  it.each(['nvlm-h', 'internvl', 'internvl-hf', 'text/llama'])('config.json of %s, and where its answers stop', (name) => {
    const config = json(`goldens/${name}/config.json`);
    holds((seed) => {
      const damaged = damagedJson(config, seed) as JsonObject;
      if (typeof damaged === 'object' && damaged !== null) {
        const ids = stopIdsOf({ config: damaged, generationConfig: damaged, tokenizerConfig: damaged }, null);
        if (![...ids].every(Number.isInteger)) return false;
      }
      const { llm } = parseConfig(damaged);
      return llm.layers * llm.hiddenSize * llm.vocabSize > 0;
    }, RUNS / 4);
  });

  it('tokenizer.json', () => {
    const whole = json('cases/answer-tokens/qwen3/tokenizer.json') as { model: { vocab: Record<string, number>; merges: string[][] } };
    // Letters alone, so that damage meets what is around them.
    const vocab = Object.fromEntries(Object.entries(whole.model.vocab).filter(([piece]) => /^[a-zĠ]$/.test(piece)));
    const tokenizer = { ...whole, model: { ...whole.model, vocab, merges: whole.model.merges.slice(0, 5) } };
    const config = json('cases/answer-tokens/qwen3/tokenizer_config.json');
    holds((seed) => {
      const made = createTokenizer(damagedJson(tokenizer, seed), damagedJson(config, ~seed));
      const ids = made.encode('Hello the answer, <think> aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', [{ start: 18, end: 25 }]);
      return ids.every((id) => Number.isInteger(id)) && typeof made.decode(ids) === 'string';
    });
  });

  it('chat templates', () => {
    const words = [
      '{%',
      '%}',
      '{{',
      '}}',
      '{% for a in range(99999) %}',
      '{% endfor %}',
      'ns.a',
      '~',
      '(',
      ')',
      "'",
      '[',
      ']',
      '|tojson',
      '|join',
      '.split',
      'messages',
      '{% macro m() %}',
      'm()',
      '*',
      '**',
      '-',
      '%',
      '\ufdd0',
    ];
    const templates = [
      "{% for m in messages %}{{ '<' + m['role'] + '>' + m.content|trim + eos_token }}{% endfor %}{% if add_generation_prompt %}<a>{% endif %}",
      "{% set ns = namespace(a='xx') %}{% for m in messages[::-1] %}{% set ns.a = ns.a ~ m.content %}{% if loop.last %}{{ ns.a }}{% endif %}{% endfor %}",
    ];
    const messages: ChatMessage[] = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: ' A{{ b }} ' },
    ];
    holds((seed) => {
      const chat_template = damagedText(templates[seed & 1]!, words, seed);
      const chatTemplate = createChatTemplate({ chat_template, eos_token: '</s>' });
      const pieces = renderConversation(messages, {
        chatTemplate,
        pictures: 0,
        layout: { placeholder: '<image>' },
        addGenerationPrompt: (seed & 2) > 0,
      });
      return pieces.length < 1000;
    });
  });
});

describe('adapters and runs', () => {
  it('adapter_config.json', () => {
    const plain = json('cases/adapters/plain/adapter_config.json');
    holds((seed) => {
      const config = damagedJson({ ...(plain as object), alpha_pattern: { q_proj: 4 }, rank_pattern: { q_proj: 8 } }, seed);
      const { base, scaleOf } = readAdapterConfig(config);
      const scale = scaleOf('model.layers.1.self_attn.q_proj', 8);
      return (base === null || typeof base === 'string') && Number.isFinite(scale);
    });
  });

  it('run files', () => {
    const run = {
      model: 'nano-d',
      data: 'desk',
      lora: { rank: 8, alpha: 16, dropout: 0.1, targets: ['q_proj', 'mlp1.1'] },
      quantize: { bits: 4, group_size: 64 },
      batch: 4,
      steps: 200,
      optimizer: { lr: 0.001, warmup: 10, betas: [0.9, 0.99], schedule: 'cosine' },
      text: { ratio: 0.2, data: 'text.jsonl' },
      blend: { data: 'old.json', ratio: 0.5 },
      trainable: ['connector'],
    };
    const { lora: _, quantize: __, ...whole } = run;
    const { trainable: ___, ...adapter } = run;
    holds((seed) => {
      const { batch, steps, optimizer } = parseRun(damagedJson(seed & 1 ? whole : adapter, seed), 'run.json');
      return [batch, steps, optimizer.lr, ...optimizer.betas].every((number) => Number.isFinite(number));
    });
  });
});

describe('names that every object has', () => {
  const config = parseConfig(json('goldens/nvlm-h/config.json'));
  it.each(INHERITED)('"trainable": ["%s"] names no tensor', (name) => {
    const unknown = expect.objectContaining({ code: 'usage', message: expect.stringContaining(`under "${name}"`) });
    expect(() => selectTrained(config, { stage: 'sft', trainable: [name] })).toThrow(unknown);
  });

  it.each(INHERITED)('%s means nothing of its own', (name) => {
    const hit = hubHit({ repository: 'a/b', downloads: 1, likes: 1, gated: false, tensors: { [name]: 3 }, modelType: name });
    expect(hit).toMatchObject({ parameters: 3, bytes: null, loadable: false });
  });
});
