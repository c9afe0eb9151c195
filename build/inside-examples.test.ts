import { expect, it } from 'vitest';
import { exampleCards } from '../workers/desk-pictures.ts';
import { lookAt, MODELS, openBundled, readStored } from './inside-examples.ts';

it.each(MODELS)('%s still does inside what is stored of it', async (model) => {
  const stored = await readStored(model);
  expect(Object.keys(stored)).toEqual(exampleCards().map(({ id }) => id));
  const { inside, close } = await openBundled(model);
  try {
    // One of them says whether the models have changed.
    const [id] = Object.keys(stored).slice(-1);
    const [was, now] = [stored[id!]!, await lookAt(inside, id!)];
    expect(now.question).toBe(was.question);
    expect(now.about.text).toBe(was.about.text);
    for (const kind of ['self', 'cross'] as const) {
      const apart = (was.looks[kind]?.values ?? []).map((value, at) => Math.abs(value - now.looks[kind]!.values[at]!));
      expect(Math.max(0, ...apart)).toBeLessThanOrEqual(2);
    }
    now.worth.forEach((tokens, tile) => tokens.forEach((value, token) => expect(value).toBeCloseTo(was.worth[tile]![token]!, 1)));
  } finally {
    await close();
  }
});
