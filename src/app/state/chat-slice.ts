import type { ChatEvent, ChatResult, ModelEntry } from '../../engine/api.ts';
import type { AdapterUse } from '../../engine/runs/training-api.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import { IMAGE_PLACEHOLDER } from '../../text/image-placeholder.ts';
import type { ChatMessage } from '../../text/types.ts';
import { activeAdapters } from './adapter-slice.ts';
import type { SliceTools } from './app-state.ts';
import { allImages, type SharedImage } from './image-slice.ts';
import { maxTilesFor, sendsEarlierTurns, toSampling, type ChatSettings } from './settings-slice.ts';

export type TurnStage = { stage: 'model' } | Omit<Extract<ChatEvent, { type: 'stage' }>, 'type'>;

/** The base model's answer beside the tuned one's. */
export type BaseAnswer = Pick<Turn, 'answer' | 'askedAt' | 'firstTokenAt' | 'lastTokenAt' | 'tokens' | 'result'>;

export interface Turn {
  id: number;
  question: string;
  answer: string;
  status: 'running' | 'stopping' | 'done' | 'stopped' | 'failed';
  stage: TurnStage | null;
  /** Which model answered; null until one is there. */
  model: { id: string } | null;
  /** Which adapters it answered with. */
  adapters: (AdapterUse & { title: string })[];
  /** null unless the question went to the base model too. */
  base: BaseAnswer | null;
  /** Page clock: when it was asked, when its first and its latest token came. */
  askedAt: number;
  firstTokenAt: number | null;
  lastTokenAt: number | null;
  tokens: number;
  seed: number | null;
  /** How many pictures the conversation had when it was asked; those beyond the question before's came with it. */
  pictures: number;
  /** What stood before the conversation; empty: nothing. */
  system: string;
  /** Most regular tiles of its pictures; null: as the model has it. */
  maxTiles: number | null;
  /** The true answer, when the page drew the picture and so knows it. */
  expected: string | null;
  result: ChatResult | null;
  error: PlainError | null;
}

export interface ChatSlice {
  turns: Turn[];
  draft: string;
  /** Why the question in the composer was not taken. */
  draftError: PlainError | null;
  setDraft(draft: string): void;
  ask(question: string): Promise<void>;
  stopAnswer(): void;
  /** Answers the same question again, in place, with the model and the settings of now. */
  retry(turnId: number): Promise<void>;
  /** Takes a question back into the composer; it and what came after go, and can be brought back. */
  editTurn(turnId: number): void;
  newChat(): void;
  /** Another picture starts another conversation; the one before can be brought back together with its pictures. */
  imageReplaced(words?: string): void;
}

export function isOpen(turn: Turn | undefined): boolean {
  return turn?.status === 'running' || turn?.status === 'stopping';
}

export function createChatSlice({ set, get, engine, now }: SliceTools): ChatSlice {
  let lastId = 0;
  let answering: AbortController | null = null;

  function change(id: number, patch: Partial<Turn> | ((turn: Turn) => Partial<Turn>)): void {
    set(({ turns }) => ({
      turns: turns.map((turn) => (turn.id === id ? { ...turn, ...(typeof patch === 'function' ? patch(turn) : patch) } : turn)),
    }));
  }

  /** Writes into the base model's answer. */
  function changeBase(id: number, patch: (base: BaseAnswer) => Partial<BaseAnswer>): void {
    change(id, ({ base }) => ({ base: base && { ...base, ...patch(base) } }));
  }

  function receive(id: number, event: ChatEvent, side: 'tuned' | 'base'): void {
    if (event.type === 'stage') {
      change(id, { stage: { stage: event.stage, done: event.done, total: event.total } });
      return;
    }
    // For the browser's own profiler and for bench/page-chat.ts.
    if (event.index === 0) performance.mark('first token');
    const grown = (before: BaseAnswer): Partial<BaseAnswer> => ({
      answer: before.answer + event.text,
      tokens: event.index + 1,
      firstTokenAt: before.firstTokenAt ?? now(),
      lastTokenAt: now(),
    });
    if (side === 'base') changeBase(id, grown);
    else change(id, grown);
  }

  async function answer(id: number): Promise<void> {
    const controller = new AbortController();
    answering = controller;
    const { chatSettings } = get();
    const images = allImages(get());
    const sampling = toSampling(chatSettings);
    change(id, { ...blankAnswer(), seed: sampling.seed ?? null, askedAt: now() });
    try {
      const model = await untilAborted(get().ensureModel(), controller.signal);
      change(id, { model: { id: model.entry.id }, stage: null });
      // Which of them fit is known now that the model is there.
      if (get().chosenAdapters.some(({ on }) => on)) await get().refreshAdapters();
      const adapters = activeAdapters(get());
      const titleOf = (adapter: string) => get().adapters?.find((one) => one.id === adapter)?.title ?? adapter;
      change(id, { adapters: adapters.map((use) => ({ ...use, title: titleOf(use.id) })) });
      const pictures = picturesFor(model.entry, images);
      const maxTiles = maxTilesFor(chatSettings, model);
      const system = systemTurn(chatSettings);
      change(id, { pictures: pictures.length, system: system[0]?.content ?? '', maxTiles: maxTiles ?? null });
      const [image = null, ...moreImages] = pictures;
      const request = {
        messages: [...system, ...messagesFor(get().turns, id, sendsEarlierTurns(chatSettings, model.entry))],
        image,
        ...(moreImages.length > 0 && { moreImages }),
        ...(maxTiles !== undefined && { maxTiles }),
        sampling,
        maxNewTokens: chatSettings.maxNewTokens,
      };
      let result: ChatResult | null = null;
      if (get().comparing && adapters.length > 0) {
        change(id, { base: { ...blankBase(), askedAt: now() } });
        result = await engine.chat(request, {
          signal: controller.signal,
          onEvent: (event) => receive(id, event, 'base'),
        });
        const base = result;
        changeBase(id, () => ({ answer: base.text, result: base }));
        change(id, { askedAt: now(), stage: null });
      }
      if (result?.finishReason !== 'cancelled') {
        const uses = adapters.length > 0 ? { ...request, adapters } : request;
        result = await engine.chat(uses, {
          signal: controller.signal,
          onEvent: (event) => receive(id, event, 'tuned'),
        });
        change(id, { answer: result.text, result });
      }
      const stopped = result.finishReason === 'cancelled';
      change(id, { status: stopped ? 'stopped' : 'done', stage: null });
      get().announce(stopped ? 'Stopped.' : `Answer: ${result.text}`);
    } catch (error) {
      const plain = toPlainError(error);
      const stopped = plain.code === 'cancelled';
      change(id, { status: stopped ? 'stopped' : 'failed', stage: null, error: stopped ? null : plain });
      get().announce(stopped ? 'Stopped.' : `${plain.message} ${plain.fix}`);
      get().noticeLoss(plain);
    } finally {
      if (answering === controller) answering = null;
    }
  }

  /** Shows `turns` and lets the visitor bring back what was there before. */
  function replaceTurns(turns: Turn[], words: string): void {
    const { image, moreImages, draft } = get();
    const before = { turns: get().turns.map(settled), image, moreImages, draft };
    get().stopAnswer();
    set({ turns });
    if (before.turns.length <= turns.length) return;
    const undo = () => {
      get().stopAnswer();
      set(before);
    };
    get().showToast(words, { label: 'Undo', run: undo });
  }

  return {
    turns: [],
    draft: '',
    draftError: null,
    setDraft: (draft) => set({ draft, draftError: null }),
    async ask(question) {
      const text = question.trim();
      if (text === '') {
        const fix = get().image ? 'Type a question about the picture, or take one of the suggestions.' : 'Type a question first.';
        set({ draftError: { code: 'empty-prompt', message: 'There is no question yet.', fix } });
        return;
      }
      // A picture on its way starts a new conversation when it comes: this question is meant for that one.
      if (get().imagePending !== null) await get().imageSettled();
      if (isOpen(get().turns.at(-1))) return;
      const expected = lookUp(get().image?.knownAnswers, text);
      const turn: Turn = { id: ++lastId, question: text, expected, ...blankAnswer(), askedAt: now() };
      set(({ turns }) => ({ turns: [...turns, turn], draft: '', draftError: null, imageError: null }));
      await answer(turn.id);
    },
    stopAnswer() {
      if (!answering) return;
      const turn = get().turns.at(-1);
      if (turn?.status === 'running') change(turn.id, { status: 'stopping' });
      answering.abort();
    },
    async retry(turnId) {
      if (isOpen(get().turns.at(-1)) || get().turns.at(-1)?.id !== turnId) return;
      await answer(turnId);
    },
    editTurn(turnId) {
      const index = get().turns.findIndex((turn) => turn.id === turnId);
      const turn = get().turns[index];
      if (!turn) return;
      replaceTurns(get().turns.slice(0, index), 'Question taken back.');
      set({ draft: turn.question, draftError: null });
    },
    newChat: () => replaceTurns([], 'Conversation cleared.'),
    imageReplaced: (words = 'New picture, new conversation.') => replaceTurns([], words),
  };
}

function blankAnswer() {
  return {
    answer: '',
    status: 'running',
    stage: { stage: 'model' },
    model: null,
    adapters: [],
    base: null,
    firstTokenAt: null,
    lastTokenAt: null,
    tokens: 0,
    seed: null,
    pictures: 0,
    system: '',
    maxTiles: null,
    result: null,
    error: null,
  } satisfies Partial<Turn>;
}

function blankBase() {
  return { answer: '', firstTokenAt: null, lastTokenAt: null, tokens: 0, result: null };
}

function lookUp(answers: Record<string, string> | undefined, question: string): string | null {
  return answers && Object.hasOwn(answers, question) ? answers[question]! : null;
}

/** What a turn becomes when its answer is broken off because it leaves the page. */
function settled(turn: Turn): Turn {
  return isOpen(turn) ? { ...turn, status: 'stopped', stage: null } : turn;
}

/** Encoded files of the pictures that a model is shown. */
function picturesFor(
  { takesPictures, family }: Pick<ModelEntry, 'takesPictures' | 'family'>,
  images: readonly SharedImage[],
): Uint8Array[] {
  if (!takesPictures) return [];
  return (family.onePicture === null ? images : images.slice(0, 1)).map(({ bytes }) => bytes);
}

function systemTurn({ system }: ChatSettings): ChatMessage[] {
  return system.trim() === '' ? [] : [{ role: 'system', content: system }];
}

/** Pictures that came later than with the first question stand where they came; else the template's own place is theirs. */
function messagesFor(turns: Turn[], id: number, remember: boolean): ChatMessage[] {
  const asked = turns.slice(0, turns.findIndex((turn) => turn.id === id) + 1);
  const told = asked.filter((turn) => turn.id === id || (remember && turn.answer !== ''));
  const all = told.at(-1)!.pictures;
  const placed = told[0]!.pictures < all;
  let seen = 0;
  return told.flatMap((turn): ChatMessage[] => {
    const came = placed ? Math.max(0, Math.min(turn.pictures, all) - seen) : 0;
    seen += came;
    const question: ChatMessage = { role: 'user', content: `${IMAGE_PLACEHOLDER}\n`.repeat(came) + turn.question };
    return turn.id === id ? [question] : [question, { role: 'assistant', content: turn.answer }];
  });
}

/** A model that is being loaded goes on loading when the question that waits for it is taken back. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new DOMException('Stopped', 'AbortError'));
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
