/** The conversation: questions, answers, what is kept and what is sent. */
import { beforeEach, describe, expect, it } from 'vitest';
import { NvlmError } from '../../errors.ts';
import { engine, freshStore, gate, lastTurn, picture, reopen, state, stored } from '../testing/test-store.ts';
import { DEFAULT_SETTINGS } from './settings-slice.ts';

beforeEach(freshStore);

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

describe('the system prompt', () => {
  it('opens the conversation, stays for the next visit and is left out when blank', async () => {
    state().changeChatSettings({ system: 'Be brief.' });
    await state().ask('Read everything.');
    expect(engine.chats[0]!.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Read everything.' },
    ]);
    reopen();
    expect(state().chatSettings.system).toBe('Be brief.');
    state().changeChatSettings({ system: ' ' });
    await state().ask('Read everything.');
    expect(engine.chats[1]!.messages).toEqual([{ role: 'user', content: 'Read everything.' }]);
    stored.set('nvlm.chat', JSON.stringify({ system: 'x'.repeat(4001) }));
    reopen();
    expect(state().chatSettings).toEqual(DEFAULT_SETTINGS);
  });
});
