import { beforeEach, describe, expect, it } from 'vitest';
import { NvlmError } from '../../errors.ts';
import { createPreferences } from '../preferences.ts';
import { createFakeEngine, type FakeEngine } from '../testing/fake-engine.ts';
import { createAppStore, type AppStore } from './app-store.ts';
import { sniffImageType, type ImageOffer } from './image-slice.ts';
import { DEFAULT_SETTINGS, toSampling } from './settings-slice.ts';

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

let engine: FakeEngine;
let store: AppStore;
let stored: Map<string, string>;

/** Knows one format more than the engine. */
const convertPicture = async (file: Blob) => ((await file.text()).startsWith('GIF') ? Uint8Array.from(PNG) : null);

function makeStore(): AppStore {
  const preferences = createPreferences({
    getItem: (name) => stored.get(name) ?? null,
    setItem: (name, value) => void stored.set(name, value),
  });
  let clock = 0;
  return createAppStore({ engine, preferences, convertPicture, now: () => (clock += 1) });
}

beforeEach(() => {
  engine = createFakeEngine();
  stored = new Map();
  store = makeStore();
});

const state = () => store.getState();
const lastTurn = () => state().turns.at(-1)!;

function picture(name: string, extraBytes = 0): ImageOffer {
  return { name, bytes: Uint8Array.from([...PNG, ...new Array<number>(extraBytes).fill(0)]), origin: { kind: 'file' } };
}

function gate(): () => void {
  let open!: () => void;
  engine.gate = new Promise((resolve) => {
    open = resolve;
  });
  return () => {
    engine.gate = null;
    open();
  };
}

describe('chat', () => {
  it('asks about the picture that is on its way, in the conversation that comes with it', async () => {
    const open = gate();
    const offered = state().offerImage(picture('late'));
    const asked = state().ask('Read everything.');
    expect(state().turns).toEqual([]);
    open();
    await Promise.all([offered, asked]);
    expect(state().image?.name).toBe('late');
    expect(state().turns.map(({ question, status }) => [question, status])).toEqual([['Read everything.', 'done']]);
    expect(engine.chats[0]?.image).not.toBeNull();
  });

  it('loads the model that is wanted before it asks', async () => {
    await state().ask('Read everything.');
    expect(lastTurn()).toMatchObject({
      status: 'done',
      answer: 'MILK',
      tokens: 2,
      model: { id: 'nano-d' },
      stage: null,
    });
    expect(engine.chats[0]!.messages).toEqual([{ role: 'user', content: 'Read everything.' }]);
    expect(state().announcement).toBe('Answer: MILK');
  });

  it('shows every token as it comes and keeps what was written when stopped', async () => {
    await state().ensureModel();
    gate();
    const done = state().ask('Read everything.');
    await expect.poll(() => lastTurn().answer).toBe('MI');
    expect(lastTurn().status).toBe('running');
    state().stopAnswer();
    expect(lastTurn().status).toBe('stopping');
    await done;
    expect(lastTurn()).toMatchObject({ status: 'stopped', answer: 'MI' });
  });

  it('stops a question that still waits for its model, and lets the model load on', async () => {
    const open = gate();
    const done = state().ask('Hello!');
    state().stopAnswer();
    await done;
    expect(lastTurn()).toMatchObject({ status: 'stopped', error: null });
    expect(engine.chats).toHaveLength(0);
    open();
    await expect.poll(() => state().loadedModel?.entry.id).toBe('nano-d');
  });

  it('does not take an empty question or a second one', async () => {
    await state().ask(' \n ');
    expect(state().draftError?.code).toBe('empty-prompt');
    const open = gate();
    const done = state().ask('one');
    await state().ask('two');
    expect(state().turns.map((turn) => turn.question)).toEqual(['one']);
    open();
    await done;
  });

  it('keeps what was there when the engine refuses', async () => {
    await state().ask('one');
    engine.failNext.chat = new NvlmError('prompt-too-long', 'Too long.', 'Shorten it.');
    await state().ask('two');
    expect(state().turns.map((turn) => turn.status)).toEqual(['done', 'failed']);
    expect(lastTurn().error).toEqual({ code: 'prompt-too-long', message: 'Too long.', fix: 'Shorten it.' });
    await state().retry(lastTurn().id);
    expect(lastTurn()).toMatchObject({ status: 'done', error: null, answer: 'MILK' });
  });

  it('sends earlier turns only when asked to', async () => {
    await state().ask('one');
    await state().ask('two');
    expect(engine.chats[1]!.messages).toHaveLength(1);
    state().changeChatSettings({ remember: true });
    await state().ask('three');
    expect(engine.chats[2]!.messages.map(({ role, content }) => `${role}: ${content}`)).toEqual([
      'user: one',
      'assistant: MILK',
      'user: two',
      'assistant: MILK',
      'user: three',
    ]);
  });

  it('brings back a cleared conversation with its picture', async () => {
    await state().offerImage(picture('a.png'));
    await state().ask('one');
    await state().offerImage(picture('b.png'));
    expect(state()).toMatchObject({
      turns: [],
      image: { name: 'b.png' },
      toast: { text: 'New picture, new conversation.' },
    });
    state().toast!.action!.run();
    expect(state().turns.map((turn) => turn.question)).toEqual(['one']);
    expect(state().image?.name).toBe('a.png');
  });

  it('takes a question back for editing, with an undo', async () => {
    await state().ask('one');
    await state().ask('two');
    state().editTurn(state().turns[0]!.id);
    expect(state()).toMatchObject({ turns: [], draft: 'one' });
    state().toast!.action!.run();
    expect(state().turns).toHaveLength(2);
  });

  it('offers no undo when nothing was lost', async () => {
    await state().offerImage(picture('a.png'));
    expect(state().toast).toBeNull();
  });
});

describe('picture', () => {
  it('is known by its signature, not by its name', () => {
    expect(sniffImageType(Uint8Array.from(PNG))).toBe('image/png');
    expect(sniffImageType(Uint8Array.from([0xff, 0xd8, 0xff, 0xe0]))).toBe('image/jpeg');
    expect(sniffImageType(new TextEncoder().encode('RIFF....WEBPVP8 '))).toBe('image/webp');
    expect(sniffImageType(new TextEncoder().encode('RIFF....WAVEfmt '))).toBeNull();
    expect(sniffImageType(new Uint8Array())).toBeNull();
  });

  it('stays when the next one is no picture or cannot be decoded', async () => {
    await state().offerImage(picture('a.png'));
    expect(await state().offerImage({ ...picture('b.txt'), bytes: new Uint8Array([1, 2, 3]) })).toBe(false);
    expect(state()).toMatchObject({ image: { name: 'a.png' }, imageError: { code: 'bad-image' }, imagePending: null });
    engine.failNext.inspect = new NvlmError('image-too-large', 'Too many pixels.', 'Make it smaller.');
    expect(await state().offerImage(picture('c.png'))).toBe(false);
    expect(state()).toMatchObject({ image: { name: 'a.png' }, imageError: { message: 'Too many pixels.' } });
  });

  it('keeps what is said of it', async () => {
    const inspect = engine.inspect;
    engine.inspect = async (request, options) => ({ ...(await inspect(request, options)), notice: 'it is grey' });
    await state().offerImage(picture('a.png'));
    expect(state().image).toMatchObject({ name: 'a.png', notice: 'it is grey' });
    engine.inspect = inspect;
    await state().offerImage(picture('b.png'));
    expect(state().image).toMatchObject({ name: 'b.png', notice: null });
  });

  it('is the one offered last, however long each takes', async () => {
    const open = gate();
    const first = state().offerImage(picture('slow.png'));
    await new Promise((resolve) => setTimeout(resolve));
    engine.gate = null;
    await state().offerImage(picture('quick.png'));
    open();
    expect(await first).toBe(false);
    expect(state().image?.name).toBe('quick.png');
    expect(state().imageError).toBeNull();
  });

  it('does not come back when the engine answers too late', async () => {
    const { inspect } = engine;
    let finish!: () => void;
    const slow = new Promise<void>((resolve) => (finish = resolve));
    engine.inspect = async (request) => slow.then(() => inspect(request));
    const first = state().offerImage(picture('slow.png'));
    await new Promise((resolve) => setTimeout(resolve));
    engine.inspect = inspect;
    await state().offerImage(picture('quick.png'));
    finish();
    expect(await first).toBe(false);
    expect(state().image?.name).toBe('quick.png');
  });

  it('is converted when only the browser can read it', async () => {
    expect(await state().offerFile(new Blob(['GIF89a'], { type: 'image/gif' }), { kind: 'paste' })).toBe(true);
    expect(state().image?.type).toBe('image/png');
    expect(await state().offerFile(new Blob(['<svg/>'], { type: 'image/svg+xml' }), { kind: 'paste' })).toBe(false);
    expect(state().imageError?.code).toBe('bad-image');
  });

  it('refuses a huge file before reading it', async () => {
    const file = {
      name: 'big.png',
      size: 2 ** 30,
      arrayBuffer: () => Promise.reject(new Error('read')),
    } as unknown as Blob;
    await state().offerFile(file, { kind: 'file' });
    expect(state().imageError?.code).toBe('image-too-large');
  });
});

describe('several pictures', () => {
  const OWN = 'url:https://host/smol/';
  const file = (name: string, extra: number) => Object.assign(new Blob([picture(name, extra).bytes as Uint8Array<ArrayBuffer>]), { name });
  const names = () => [state().image, ...state().moreImages].map((image) => image?.name);
  const sizes = (chat = engine.chats.at(-1)!) => [chat.image, ...(chat.moreImages ?? [])].map((bytes) => bytes?.length);

  /** A model of one's own takes several. */
  async function begin(): Promise<void> {
    state().agreeToModel(OWN);
    await state().selectModel(OWN, {});
    await state().offerImage(picture('a'));
    await state().addFiles([file('b', 1)]);
  }

  it('are all sent, in their order, without a word about where they stand', async () => {
    await begin();
    await state().ask('Same?');
    expect(sizes()).toEqual([8, 9]);
    expect(engine.chats[0]!.messages).toEqual([{ role: 'user', content: 'Same?' }]);
    expect(lastTurn()).toMatchObject({ pictures: 2, system: '', maxTiles: null });
  });

  it('stand where they came in when one is added later', async () => {
    await begin();
    await state().ask('Same?');
    await state().addFiles([file('c', 2), file('d', 3)]);
    expect(names()).toEqual(['a', 'b', 'c', 'd']);
    await state().ask('And these?');
    expect(sizes()).toEqual([8, 9, 10, 11]);
    expect(engine.chats[1]!.messages).toEqual([
      { role: 'user', content: '<image>\n<image>\nSame?' },
      { role: 'assistant', content: 'MILK' },
      { role: 'user', content: '<image>\n<image>\nAnd these?' },
    ]);
    // Alone, a question has them all before it.
    state().changeChatSettings({ remember: false });
    await state().ask('Once more?');
    expect(engine.chats[2]!.messages).toEqual([{ role: 'user', content: 'Once more?' }]);
    expect(sizes()).toEqual([8, 9, 10, 11]);
  });

  it('can be taken out: quietly before anyone asked, else with their conversation, which comes back', async () => {
    await begin();
    await state().ask('Same?');
    await state().addFiles([file('c', 2)]);
    state().removeImage(state().moreImages[1]!.id);
    expect(names()).toEqual(['a', 'b']);
    expect(state().turns).toHaveLength(1);
    state().removeImage(state().image!.id);
    expect(names()).toEqual(['b']);
    expect(state().turns).toEqual([]);
    state().toast!.action!.run();
    expect(names()).toEqual(['a', 'b']);
    expect(state().turns).toHaveLength(1);
    await state().offerImage(picture('new'));
    expect(names()).toEqual(['new']);
    state().removeImage(state().image!.id);
    expect(names()).toEqual(['new']);
  });

  it('are the first alone for a model that takes one', async () => {
    await begin();
    await state().selectModel('nano-d');
    await state().ask('Read everything.');
    expect(sizes()).toEqual([8]);
    expect(lastTurn()).toMatchObject({ pictures: 1 });
    expect(names()).toEqual(['a', 'b']);
  });

  it('are at most eight, and those that cannot be read are said', async () => {
    await begin();
    await state().addFiles([Object.assign(new Blob(['text']), { name: 'c.txt' })]);
    expect(state().imageError?.message).toContain('c.txt');
    await state().addFiles(Array.from({ length: 9 }, (_, n) => file(String(n), n)));
    expect(names()).toHaveLength(8);
    expect(state().imageError?.message).toContain('at most 8 pictures');
    expect(state().imagePending).toBeNull();
  });
});

describe('tiles of a picture', () => {
  it('are counted by the rule of the model that is loaded, and again when it or its most tiles change', async () => {
    const asked: unknown[] = [];
    const { inspect } = engine;
    engine.inspect = async (request, options) => {
      const { image: _, ...cut } = request;
      asked.push(cut);
      const inspection = await inspect(request, options);
      return { ...inspection, tokens: { ...inspection.tokens, visual: asked.length } };
    };
    await state().offerImage(picture('a'));
    await state().selectModel('nano-d');
    await expect.poll(() => state().image?.tiles.visualTokens).toBe(2);
    state().changeChatSettings({ maxTiles: 2 });
    await expect.poll(() => state().image?.tiles.visualTokens).toBe(3);
    state().changeChatSettings({ maxTiles: 50, temperature: 1 });
    await expect.poll(() => state().image?.tiles.visualTokens).toBe(4);
    expect(asked).toEqual([{ tileSize: 112, maxTiles: 6 }, { model: 'nano-d' }, { model: 'nano-d', maxTiles: 2 }, { model: 'nano-d' }]);
    state().changeChatSettings({ maxTiles: 2 });
    await state().ask('Read everything.');
    expect(engine.chats[0]!.maxTiles).toBe(2);
  });
});

describe('the system prompt', () => {
  it('opens the conversation, stays for the next visit and is left out when blank', async () => {
    state().changeChatSettings({ system: 'Be brief.' });
    await state().ask('Read everything.');
    expect(engine.chats[0]!.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Read everything.' },
    ]);
    store = makeStore();
    expect(state().chatSettings.system).toBe('Be brief.');
    state().changeChatSettings({ system: ' ' });
    await state().ask('Read everything.');
    expect(engine.chats[1]!.messages).toEqual([{ role: 'user', content: 'Read everything.' }]);
    stored.set('nvlm.chat', JSON.stringify({ system: 'x'.repeat(4001) }));
    store = makeStore();
    expect(state().chatSettings).toEqual(DEFAULT_SETTINGS);
  });
});

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

describe('device', () => {
  it('loads the model again after a switch', async () => {
    await state().openDevice('auto');
    await state().ensureModel();
    await state().openDevice('cpu');
    expect(state()).toMatchObject({
      device: { backend: 'cpu' },
      backendChoice: 'cpu',
      loadedModel: { entry: { id: 'nano-d' } },
    });
  });

  it('falls back, and says why, when the address asks for a device that is not there', async () => {
    engine.failNext.openDevice = new NvlmError('no-device', 'No WebGPU.', 'Use wasm.');
    await state().openDevice('webgpu');
    expect(state()).toMatchObject({
      device: { backend: 'wasm' },
      backendChoice: 'auto',
      deviceError: { code: 'no-device' },
    });
  });

  it('comes back by itself after a death of the worker, conversation kept', async () => {
    await state().ask('one');
    engine.die(new NvlmError('engine-lost', 'Stopped.', 'Again.'));
    await expect.poll(() => state().loss).toBeNull();
    expect(state().loadedModel?.entry.id).toBe('nano-d');
    expect(state().turns).toHaveLength(1);
    expect(state().toast?.text).toContain('started again');
  });

  it('gives up restarting by itself when the worker keeps dying', async () => {
    for (let death = 0; death < 3; death++) {
      engine.die(new NvlmError('engine-lost', 'Stopped.', 'Again.'));
      await expect.poll(() => state().recovering).toBe(false);
    }
    expect(state().loss?.code).toBe('engine-lost');
    expect(state().device).toBeNull();
  });

  it('offers a restart after a lost device', async () => {
    await state().ensureModel();
    engine.failNext.chat = new NvlmError('device-lost', 'The device is lost.', 'Restart.');
    await state().ask('one');
    expect(state().loss?.code).toBe('device-lost');
    await state().recover();
    expect(engine.restarts).toBe(1);
    expect(state()).toMatchObject({ loss: null, loadedModel: { entry: { id: 'nano-d' } } });
    expect(state().turns).toHaveLength(1);
  });
});

describe('settings', () => {
  it('outlive the page', () => {
    state().changeChatSettings({ temperature: 0.7, seed: 5 });
    state().setTheme('dark');
    store = makeStore();
    expect(state()).toMatchObject({ theme: 'dark', chatSettings: { ...DEFAULT_SETTINGS, temperature: 0.7, seed: 5 } });
  });

  it.each(['{"temperature":900}', '{"constructor":1}', '[1]', '"x"', '{', '{"seed":"1"}'])('are dropped when %s is stored', (json) => {
    stored.set('nvlm.chat', json);
    store = makeStore();
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
