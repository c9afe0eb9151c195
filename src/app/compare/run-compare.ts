import type { TilePicture } from '../../../workers/bitmaps.ts';
import type { ArchitectureCost, ChatEvent, ChatResult, Engine, LoadedModel } from '../../engine/api.ts';
import type { Gate, PictureLayout } from '../../engine/inside/inside-api.ts';
import { fromPlainError, throwIfAborted, toPlainError, type PlainError } from '../../errors.ts';
import { lookMap, meanRow, rowsOf, type CellMap, KINDS } from '../inside/cells.ts';
import type { Pictures } from '../pictures-client.ts';
import type { AppStore } from '../state/app-store.ts';
import { drawTiles } from '../tiles/tile-pictures.ts';
import type { Contender } from './contenders.ts';

/** What a contender has done so far. */
export interface Column {
  status: 'waiting' | 'loading' | 'answering' | 'looking' | 'done' | 'failed' | 'stopped';
  text: string;
  result: ChatResult | null;
  cost: ArchitectureCost | null;
  weightBytes: number | null;
  gates: Gate[];
  /** Where it looked: the mean over layers, heads and the answer's tokens. */
  strip: { layout: PictureLayout; pictures: TilePicture[]; map: CellMap } | null;
  error: PlainError | null;
}

export const BLANK: Column = {
  status: 'waiting',
  text: '',
  result: null,
  cost: null,
  weightBytes: null,
  gates: [],
  strip: null,
  error: null,
};

export interface CompareTools {
  engine: Engine;
  pictures: Pictures;
  store: AppStore;
}

export interface Asked {
  question: string;
  image: Uint8Array | null;
}

const MAX_NEW_TOKENS = 128;

/** The model, selected and loaded. @throws why it cannot be had */
export async function loadContender({ store }: CompareTools, { model }: Contender): Promise<LoadedModel> {
  const { selectModel, keepModels } = store.getState();
  await selectModel(model);
  if (store.getState().modelError?.error.code === 'out-of-memory') {
    // The plan was wrong about what there is room for.
    keepModels([]);
    await selectModel(model);
  }
  const { loadedModel, modelError } = store.getState();
  if (loadedModel?.entry.id === model) return loadedModel;
  if (modelError) throw fromPlainError(modelError.error);
  throw fromPlainError({ code: 'not-found', message: `${model} could not be loaded.`, fix: 'Look at it on the Models screen.' });
}

/** The greedy answer of the loaded model. */
export function answerOf(
  { engine }: CompareTools,
  loaded: LoadedModel,
  { adapters }: Contender,
  { question, image }: Asked,
  options: { signal: AbortSignal; onEvent?: (event: ChatEvent) => void },
): Promise<ChatResult> {
  const request = {
    messages: [{ role: 'user' as const, content: question }],
    image: loaded.entry.takesPictures ? image : null,
    sampling: { temperature: 0 },
    maxNewTokens: MAX_NEW_TOKENS,
    ...(adapters.length > 0 && { adapters }),
  };
  return engine.chat(request, options);
}

/** One question through all contenders, one after the other; a failed one leaves the others their turn. */
export async function compare(
  tools: CompareTools,
  contenders: readonly Contender[],
  asked: Asked,
  onColumn: (index: number, patch: Partial<Column> | ((now: Column) => Partial<Column>)) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const [index, contender] of contenders.entries()) {
    throwIfAborted(signal);
    try {
      onColumn(index, { status: 'loading' });
      const loaded = await loadContender(tools, contender);
      throwIfAborted(signal);
      onColumn(index, { status: 'answering', weightBytes: loaded.weightBytes });
      const result = await answerOf(tools, loaded, contender, asked, {
        signal,
        onEvent: (event) => event.type === 'token' && onColumn(index, (now) => ({ text: now.text + event.text })),
      });
      onColumn(index, { text: result.text, result });
      throwIfAborted(signal);
      onColumn(index, { status: 'looking' });
      onColumn(index, { ...(await lookInside(tools, loaded, contender, asked, result, signal)), status: 'done' });
    } catch (error) {
      const plain = toPlainError(error);
      onColumn(index, { status: plain.code === 'cancelled' ? 'stopped' : 'failed', error: plain.code === 'cancelled' ? null : plain });
      tools.store.getState().noticeLoss(plain);
      if (plain.code === 'cancelled') throw error;
    }
  }
}

/** What it cost, its gates, and where it looked while it said what it said. */
async function lookInside(
  { engine, pictures }: CompareTools,
  { entry }: LoadedModel,
  { adapters }: Contender,
  { question, image }: Asked,
  { ids }: ChatResult,
  signal: AbortSignal,
): Promise<Partial<Column>> {
  if (!image || !entry.takesPictures) return {};
  const inspection = await engine.inspect({ image, model: entry.id, prompt: question }, { signal });
  const cost = inspection.costs[inspection.geometry.architecture] ?? null;
  if (ids.length === 0) return { cost };
  const request = {
    messages: [{ role: 'user' as const, content: question }],
    image,
    answer: ids,
    maxNewTokens: 1,
    ...(adapters.length > 0 && { adapters }),
  };
  const about = await engine.insideOpen(request, { signal });
  try {
    const rows = rowsOf(about, null);
    const weights: Parameters<typeof lookMap>[1] = {};
    for (const kind of KINDS) {
      if (about.layers[kind].length === 0) continue;
      const look = await engine.insideAttention({ trace: about.trace, kind, rows, how: 'mean' }, { signal });
      weights[kind] = meanRow(
        look,
        rows.map((_, row) => row),
      );
    }
    const drawn = await drawTiles(pictures, inspection.tiling, about.layout!.cellsAcross, signal);
    return { cost, gates: about.gates, strip: { layout: about.layout!, pictures: drawn, map: lookMap(about, weights) } };
  } finally {
    await engine.insideClose();
  }
}
