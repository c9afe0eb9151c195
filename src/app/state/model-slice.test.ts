/** Loading: bundled models, and those of the visitor’s own. */
import { beforeEach, describe, expect, it } from 'vitest';
import { NvlmError } from '../../errors.ts';
import { engine, freshStore, gate, lastTurn, state, stored } from '../testing/test-store.ts';

beforeEach(freshStore);

describe('models', () => {
  it('loads one at a time and only the last one wanted', async () => {
    const open = gate();
    const first = state().selectModel('nano-x');
    const second = state().selectModel('nano-h');
    open();
    await Promise.all([first, second]);
    expect(state()).toMatchObject({
      selectedModel: 'nano-h',
      loadedModel: { entry: { id: 'nano-h' } },
      loading: null,
      modelError: null,
    });
    expect(engine.loads).toEqual(['nano-h']);
  });

  it('goes on with the model that is there when another cannot be loaded', async () => {
    await state().selectModel('nano-d');
    engine.failNext.load = new NvlmError('corrupt-file', 'Broken.', 'Delete it and load it again.');
    await state().selectModel('nano-x');
    expect(state()).toMatchObject({
      selectedModel: 'nano-d',
      modelError: { id: 'nano-x', error: { message: 'Broken.' } },
    });
    await state().ask('Hello!');
    expect(lastTurn()).toMatchObject({ status: 'done', model: { id: 'nano-d' } });
  });

  it('says nothing about a load that was cancelled', async () => {
    gate();
    const done = state().selectModel('nano-x');
    await expect.poll(() => state().models).not.toBeNull();
    state().cancelLoad();
    await done;
    expect(state()).toMatchObject({ loading: null, modelError: null, loadedModel: null });
  });

  it('says so when there is no such model', async () => {
    await state().selectModel('nano-z');
    expect(state().modelError).toMatchObject({ id: 'nano-z', error: { code: 'not-found' } });
  });
});

describe('models of the visitor’s own', () => {
  const own = { kind: 'hub', repository: 'org/name', revision: 'main' } as const;
  const id = 'hf:org/name';

  it('are neither planned nor downloaded by a link, before somebody says so', async () => {
    await state().openModel(id);
    expect(state()).toMatchObject({ selectedModel: id, candidate: { id, title: 'name', plan: null, planning: false, error: null } });
    await state().planModel(own);
    expect(state().candidate?.plan).not.toBeNull();
    // Once it was agreed to, a link may plan it again.
    state().dropCandidate();
    await state().openModel(id);
    expect(state().candidate?.plan).not.toBeNull();
    expect(engine.loads).toEqual([]);
    await state().ask('Hello');
    expect(lastTurn()).toMatchObject({ status: 'failed', error: { message: 'name has not been downloaded yet.' } });
    await state().selectModel(id, { contextLength: 512 });
    expect(engine.loads).toEqual([id]);
    expect(state().candidate).toBeNull();
  });

  it('show the plan of the last settings, or why there is none', async () => {
    const first = state().planModel(own);
    await state().planModel(own, { contextLength: 1024 });
    await first;
    expect(state().candidate).toMatchObject({ settings: { contextLength: 1024 }, plan: { settings: { contextLength: 1024 } } });
    engine.failNext.plan = new NvlmError('bad-model', 'A tensor too many.', 'Get another.');
    await state().planModel(own);
    expect(state().candidate).toMatchObject({ plan: null, planning: false, error: { message: 'A tensor too many.' } });
  });

  it('get the whole conversation, unless it was switched off', async () => {
    await state().selectModel(id);
    await state().ask('One?');
    await state().ask('Two?');
    expect(engine.chats.at(-1)!.messages).toHaveLength(3);
    state().changeChatSettings({ remember: false });
    await state().ask('Three?');
    expect(engine.chats.at(-1)!.messages).toHaveLength(1);
  });

  it('leave the token to the engine alone', async () => {
    await state().setHubToken('hf_secret');
    expect(state().hubToken).toBe(true);
    expect(JSON.stringify([state(), [...stored]])).not.toContain('hf_secret');
  });
});
