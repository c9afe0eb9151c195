import { describe, expect, it } from 'vitest';
import type { ChatResult } from '../../engine/api.ts';
import type { Turn } from '../state/chat-slice.ts';
import { stageText } from './stage-text.ts';
import { decodeRate, turnStats } from './turn-stats.ts';

const RESULT: ChatResult = {
  text: 'MILK',
  ids: [1, 2, 3, 4, 5],
  finishReason: 'stop',
  usage: { promptTokens: 153, visualTokens: 112, completionTokens: 5 },
  timings: { loadMs: 0, visionMs: 80, prefillMs: 120, decodeMs: 80, firstTokenMs: 210 },
  backend: 'wasm',
  adapter: null,
};

function turn(patch: Partial<Turn>): Turn {
  const base = {
    id: 1,
    question: 'Read everything.',
    answer: '',
    status: 'running',
    stage: null,
    model: null,
    askedAt: 1000,
  } as const;
  return {
    ...base,
    adapters: [],
    base: null,
    firstTokenAt: null,
    lastTokenAt: null,
    tokens: 0,
    pictures: 1,
    system: '',
    maxTiles: null,
    seed: null,
    expected: null,
    result: null,
    error: null,
    ...patch,
  };
}

describe('turn stats', () => {
  it('does not count the first token, which the prefill made', () => {
    expect(decodeRate(turn({ result: RESULT }))).toBe(50);
    expect(decodeRate(turn({ firstTokenAt: 1500, lastTokenAt: 2000, tokens: 11 }))).toBe(20);
  });

  it('says nothing about speed after one token', () => {
    expect(decodeRate(turn({ firstTokenAt: 1500, lastTokenAt: 1500, tokens: 1 }))).toBeNull();
    expect(turnStats(turn({ firstTokenAt: 1500, lastTokenAt: 1500, tokens: 1 })).map((stat) => stat.value)).toEqual(['first after 500 ms']);
  });

  it('gives all figures of a finished answer', () => {
    expect(turnStats(turn({ result: RESULT })).map((stat) => stat.value)).toEqual([
      '50 tokens/s',
      'first after 210 ms',
      '5 tokens written',
      '153 read, 112 visual',
    ]);
  });
});

describe('stage text', () => {
  it('counts tiles from one and never past the last', () => {
    expect(stageText({ stage: 'vision', done: 0, total: 7 }, 'nano-d')).toBe('Vision encoder: tile 1 of 7');
    expect(stageText({ stage: 'vision', done: 7, total: 7 }, 'nano-d')).toBe('Vision encoder: tile 7 of 7');
  });

  it('names the model that is waited for', () => {
    expect(stageText({ stage: 'model' }, 'nano-x')).toContain('nano-x');
  });
});
