/** Settings as they are kept and as the sampler takes them. */
import { beforeEach, describe, expect, it } from 'vitest';
import { freshStore, reopen, state, stored } from '../testing/test-store.ts';
import { DEFAULT_SETTINGS, toSampling } from './settings-slice.ts';

beforeEach(freshStore);

describe('settings', () => {
  it('outlive the page', () => {
    state().changeChatSettings({ temperature: 0.7, seed: 5 });
    state().setTheme('dark');
    reopen();
    expect(state()).toMatchObject({ theme: 'dark', chatSettings: { ...DEFAULT_SETTINGS, temperature: 0.7, seed: 5 } });
  });

  it.each(['{"temperature":900}', '{"constructor":1}', '[1]', '"x"', '{', '{"seed":"1"}'])('are dropped when %s is stored', (json) => {
    stored.set('nvlm.chat', json);
    reopen();
    expect(state().chatSettings).toEqual(DEFAULT_SETTINGS);
  });

  it('leave out what is off, and draw a seed only for sampling', () => {
    expect(toSampling(DEFAULT_SETTINGS)).toEqual({ temperature: 0 });
    expect(toSampling({ ...DEFAULT_SETTINGS, temperature: 1, topK: 5, topP: 0.9, repetitionPenalty: 1.2 }, () => 7)).toEqual({
      temperature: 1,
      topK: 5,
      topP: 0.9,
      repetitionPenalty: 1.2,
      seed: 7,
    });
  });
});
