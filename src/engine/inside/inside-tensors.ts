import type { TensorData } from '../../weights/safetensors.ts';
import type { AnswerToken, Gate, LensLayer } from './inside-api.ts';
import { layersOf } from './attention-views.ts';
import { visualPositions } from './lens.ts';
import type { Trace } from './trace.ts';

/** Everything that was found out about an answer. */
export interface InsideFindings {
  answer: readonly AnswerToken[];
  gates: readonly Gate[];
  lens: readonly LensLayer[];
  /** [tiles][answer tokens], in the order of the sequence. */
  worth: readonly (readonly number[])[];
}

/**
 * The findings as tensors, to be written to a file. `rows` are the positions that predict the answer's tokens.
 *
 * `self_attention` [layers, heads, rows, T], `cross_attention` [cross layers, heads, rows, keys] (X: the tokens of all tiles; H: of each
 * regular tile its tag's, then its own), `gates` [cross layers] = tanh(g), `answer_ids`, `answer_logp` [rows], `top_ids`, `top_logp`
 * [rows, 5], `visual_positions`, `lens_ids`, `lens_p` [layers, visual], `tile_worth` [tiles, rows]. What a model has not got is left out.
 */
export async function insideTensors(trace: Trace, { answer, gates, lens, worth }: InsideFindings): Promise<TensorData[]> {
  const rows = answer.length;
  const tops = Math.min(...answer.map(({ top }) => top.length));
  const tensors: TensorData[] = [
    await attentionTensor(trace, 'self', rows),
    i32(
      'answer_ids',
      [rows],
      answer.map(({ id }) => id),
    ),
    f32(
      'answer_logp',
      [rows],
      answer.map(({ logp }) => logp),
    ),
    i32(
      'top_ids',
      [rows, tops],
      answer.flatMap(({ top }) => top.slice(0, tops).map(({ id }) => id)),
    ),
    f32(
      'top_logp',
      [rows, tops],
      answer.flatMap(({ top }) => top.slice(0, tops).map(({ logp }) => logp)),
    ),
  ];
  if (trace.crossLayers.length > 0) {
    tensors.push(await attentionTensor(trace, 'cross', rows));
    tensors.push(
      f32(
        'gates',
        [gates.length],
        gates.map(({ used }) => used),
      ),
    );
  }
  if (lens.length > 0) {
    const positions = visualPositions(trace);
    tensors.push(
      i32('visual_positions', [positions.length], positions),
      i32(
        'lens_ids',
        [lens.length, positions.length],
        lens.flatMap(({ cells }) => cells.map(({ id }) => id)),
      ),
      f32(
        'lens_p',
        [lens.length, positions.length],
        lens.flatMap(({ cells }) => cells.map(({ p }) => p)),
      ),
    );
  }
  if (worth.length > 0) tensors.push(f32('tile_worth', [worth.length, rows], worth.flat()));
  return tensors;
}

/** [layers, heads, rows, keys] of the answer's rows. */
async function attentionTensor(trace: Trace, kind: 'self' | 'cross', rows: number): Promise<TensorData> {
  const layers = layersOf(trace, kind);
  const { heads } = trace.model.config.llm;
  const keys = trace.keys(kind);
  const skipped = (trace.rows.length - rows) * keys;
  const values = new Float32Array(layers.length * heads * rows * keys);
  for (const [place, layer] of layers.entries()) {
    const all = await trace.attention(kind, layer);
    for (let head = 0; head < heads; head++) {
      const from = head * trace.rows.length * keys + skipped;
      values.set(all.subarray(from, from + rows * keys), (place * heads + head) * rows * keys);
    }
  }
  return { name: `${kind}_attention`, dtype: 'F32', shape: [layers.length, heads, rows, keys], data: values };
}

function f32(name: string, shape: number[], values: readonly number[]): TensorData {
  return { name, dtype: 'F32', shape, data: Float32Array.from(values) };
}

function i32(name: string, shape: number[], values: readonly number[]): TensorData {
  return { name, dtype: 'I32', shape, data: Int32Array.from(values) };
}
