/** Pictures: what is taken, what replaces what, and what a model is shown. */
import { beforeEach, describe, expect, it } from 'vitest';
import { NvlmError } from '../../errors.ts';
import { PNG, engine, freshStore, gate, lastTurn, picture, state } from '../testing/test-store.ts';
import { sniffImageType } from './image-slice.ts';

beforeEach(freshStore);

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

  const typed = (name: string, extra: number, type = 'image/png') =>
    Object.assign(new Blob([picture(name, extra).bytes as Uint8Array<ArrayBuffer>], { type }), { name });

  it('come at once: the first begins a conversation, the others follow', async () => {
    await begin();
    await state().ask('Same?');
    await state().offerFiles([typed('notes', 1, 'text/plain'), typed('c', 2), typed('d', 3)], { kind: 'drop' });
    expect(names()).toEqual(['c', 'd']);
    expect(state().turns).toEqual([]);
    expect(state().toast!.text).toMatch(/1 file left out: not known as a picture\.$/);
    state().toast!.action!.run();
    expect(names()).toEqual(['a', 'b']);
  });

  it('come at once to a model that takes one: the rest is said to be left out, and why', async () => {
    await state().selectModel('nano-d', {});
    await state().offerFiles([typed('c', 2), typed('d', 3), typed('e', 4)], { kind: 'file' });
    expect(names()).toEqual(['c']);
    expect(state().toast!.text).toBe('2 more pictures left out: One at a time.');
    // Browsers do not know every kind of picture by its name.
    state().dismissToast();
    await state().offerFiles([typed('unknown', 1, '')], { kind: 'file' });
    expect(names()).toEqual(['unknown']);
    expect(state().toast?.text ?? '').not.toContain('left out');
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
