import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { BUNDLED_MODELS } from '../engine/models/bundled-models.ts';
import { headStartOf } from './first-visit.ts';
import { createPreferences } from './preferences.ts';

function visitor() {
  const kept = new Map<string, string>();
  return createPreferences({ getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => void kept.set(name, value) });
}

describe('the head start', () => {
  it.each(BUNDLED_MODELS.map(({ id }) => id))('of %s asks for its manifest, its small files and where its weights begin', async (id) => {
    const folder = new URL(`../../public/models/${id}/`, import.meta.url);
    const read = async (name: string) => JSON.parse(await readFile(new URL(name, folder), 'utf8'));
    const listed = ((await read('manifest.json')) as { path: string }[]).map(({ path }) => path);
    const index = (await read('model.safetensors.index.json')) as { weight_map: Record<string, string> };
    const [first] = Object.values(index.weight_map);
    const wanted = ['manifest.json', ...listed.filter((path) => path.endsWith('.json')), first];
    const requests = headStartOf(id, visitor());
    expect(requests.map(({ path }) => path).sort()).toEqual(wanted.map((path) => `${id}/${path}`).sort());
    expect(requests[0]!.path).toBe(`${id}/${first}`);
  });

  it('is once a browser and model: what is stored then is not asked for again', () => {
    const preferences = visitor();
    expect(headStartOf('nano-d', preferences)).not.toEqual([]);
    expect(headStartOf('nano-d', preferences)).toEqual([]);
    expect(headStartOf('nano-x', preferences)).not.toEqual([]);
    expect(headStartOf('nano-d', preferences)).toEqual([]);
  });

  it.each(['hub:someone/model', 'https://example.org/model/', 'files:folder', 'nano-z'])('asks for nothing of %s', (id) => {
    expect(headStartOf(id, visitor())).toEqual([]);
  });
});
