import { NvlmError, throwIfAborted } from '../../errors.ts';
import type { CallOptions } from '../api.ts';
import { yieldToEventLoop } from '../yield.ts';
import type { AttentionKind, AttentionRequest, AttentionRows, HeadAttention } from './inside-api.ts';
import type { Trace } from './trace.ts';

/** Chosen rows of attention, the chosen layers and heads put together. */
export async function attentionRows(trace: Trace, request: AttentionRequest, options: CallOptions = {}): Promise<AttentionRows> {
  const { kind, how } = request;
  const { layers, heads, rows } = chosen(trace, request);
  const keys = trace.keys(kind);
  const values = new Float32Array(rows.length * keys);
  const part = 1 / (layers.length * heads.length);
  for (const layer of layers) {
    const weights = await trace.attention(kind, layer, options);
    for (const head of heads) {
      rows.forEach((row, at) => {
        const from = (head * trace.rows.length + row) * keys;
        const to = at * keys;
        for (let key = 0; key < keys; key++) {
          const weight = weights[from + key]!;
          if (how === 'max') values[to + key] = Math.max(values[to + key]!, weight);
          else values[to + key]! += weight * part;
        }
      });
    }
    throwIfAborted(options.signal);
    await yieldToEventLoop();
  }
  return { values, rows: rows.length, keys };
}

/** Every head of every chosen layer by itself, the mean over the rows. */
export async function headAttention(
  trace: Trace,
  request: Omit<AttentionRequest, 'how'>,
  options: CallOptions = {},
): Promise<HeadAttention> {
  const { kind } = request;
  const { layers, heads, rows } = chosen(trace, request);
  const keys = trace.keys(kind);
  const values = new Float32Array(layers.length * heads.length * keys);
  for (const [place, layer] of layers.entries()) {
    const weights = await trace.attention(kind, layer, options);
    heads.forEach((head, at) => {
      const to = (place * heads.length + at) * keys;
      for (const row of rows) {
        const from = (head * trace.rows.length + row) * keys;
        for (let key = 0; key < keys; key++) values[to + key]! += weights[from + key]! / rows.length;
      }
    });
    throwIfAborted(options.signal);
    await yieldToEventLoop();
  }
  return { values, layers, heads: heads.length, keys };
}

/** Layers with attention of a kind. */
export function layersOf(trace: Trace, kind: AttentionKind): number[] {
  return kind === 'cross' ? trace.crossLayers : Array.from({ length: trace.model.config.llm.layers }, (_, layer) => layer);
}

function chosen(trace: Trace, request: Omit<AttentionRequest, 'how'>): { layers: number[]; heads: number[]; rows: number[] } {
  const { llm } = trace.model.config;
  const all = layersOf(trace, request.kind);
  const answer = trace.input.answer.length;
  if (all.length === 0) throw new NvlmError('usage', 'No layer of this answer has cross-attention.', 'Ask for self-attention.');
  const layers = subset('layer', request.layers, all);
  const heads = subset(
    'head',
    request.heads,
    Array.from({ length: llm.heads }, (_, head) => head),
  );
  const rows = subset(
    'row',
    request.rows,
    trace.rows.map((_, row) => row),
    trace.rows.map((_, row) => row).slice(-answer),
  );
  return { layers, heads, rows };
}

function subset(what: string, wanted: readonly number[] | undefined, all: number[], otherwise = all): number[] {
  if (!wanted) return otherwise;
  const wrong = wanted.find((one) => !all.includes(one));
  if (wrong !== undefined || wanted.length === 0) {
    throw new NvlmError(
      'usage',
      wrong === undefined ? `No ${what} is asked for.` : `There is no ${what} ${wrong}.`,
      `Ask for some of ${all.slice(0, 12).join(', ')}${all.length > 12 ? ' …' : ''}.`,
    );
  }
  return [...wanted];
}
