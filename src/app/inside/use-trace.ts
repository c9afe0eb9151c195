import { useEffect, useState } from 'react';
import type { InsideProgress, InsideRequest, InsideTrace } from '../../engine/inside/inside-api.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import { useApp, useAppStore, useEngine } from '../state/hooks.ts';
import type { SharedImage } from '../state/image-slice.ts';
import { settled } from './settled.ts';
import type { InsideSettings } from './settings.ts';

export interface TraceState {
  about: InsideTrace | null;
  /** Of the trace that is being opened. */
  progress: InsideProgress | { stage: 'model'; done: 0; total: 0 } | null;
  error: PlainError | null;
}

/** Longest answer that is looked at token by token when it is not given. */
export const MOST_NEW_TOKENS = 64;

type Asked = Pick<InsideSettings, 'question' | 'system' | 'maxTiles' | 'turns' | 'said' | 'adapters' | 'changes'>;

/** What the engine is asked; null while there is nothing to ask. */
export function requestOf(
  image: SharedImage | null,
  { question, system, maxTiles, turns, said, adapters, changes }: Asked,
): InsideRequest | null {
  if (question.trim() === '') return null;
  const earlier = turns.flatMap(([user, assistant]): InsideRequest['messages'] => [
    { role: 'user', content: user },
    { role: 'assistant', content: assistant },
  ]);
  return {
    messages: [
      ...(system.trim() === '' ? [] : [{ role: 'system' as const, content: system }]),
      ...earlier,
      { role: 'user', content: question.trim() },
    ],
    image: image?.bytes ?? null,
    maxNewTokens: MOST_NEW_TOKENS,
    ...(maxTiles !== null && { maxTiles }),
    ...(said && { answer: said }),
    ...(adapters.length > 0 && { adapters }),
    changes,
  };
}

/** Opens the question and its answer in the engine, whenever either or the model changes; closes it with the screen. */
export function useTrace(image: SharedImage | null, asked: Asked): TraceState & { again(): void } {
  const engine = useEngine();
  const store = useAppStore();
  const selected = useApp((state) => state.selectedModel);
  const backend = useApp((state) => state.device?.backend);
  const pending = useApp((state) => state.imagePending !== null);
  const [state, setState] = useState<TraceState>({ about: null, progress: null, error: null });
  const [attempt, setAttempt] = useState(0);
  const key = JSON.stringify([asked.question, asked.system, asked.maxTiles, asked.turns, asked.said, asked.adapters, asked.changes]);

  useEffect(() => {
    const request = requestOf(image, asked);
    if (!request || pending) return;
    const { signal, end } = settled();
    setState({ about: null, progress: { stage: 'model', done: 0, total: 0 }, error: null });
    const open = async () => {
      const model = await store.getState().ensureModel();
      if (signal.aborted) return;
      if (!model.entry.takesPictures) request.image = null;
      const onProgress = (progress: InsideProgress) => !signal.aborted && setState((now) => ({ ...now, progress }));
      const about = await engine.insideOpen(request, { signal, onProgress });
      if (!signal.aborted) setState({ about, progress: null, error: null });
    };
    open().catch((error: unknown) => {
      if (signal.aborted) return;
      const plain = toPlainError(error);
      store.getState().noticeLoss(plain);
      setState({ about: null, progress: null, error: plain });
    });
    return end;
  }, [engine, store, image, pending, selected, backend, key, attempt]);

  useEffect(
    () => () => {
      void engine.insideClose().catch(() => undefined);
    },
    [engine],
  );
  return { ...state, again: () => setAttempt((now) => now + 1) };
}
