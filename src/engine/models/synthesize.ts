import type { ParameterSpec } from '../../nvlm/names.ts';
import { syntheticCheckpoint, syntheticRows, type SyntheticCheckpoint } from '../../nvlm/synthetic-checkpoint.ts';
import { buildHeader } from '../../weights/safetensors.ts';

export { SYNTHETIC_MODELS } from '../../nvlm/synthetic-checkpoint.ts';

/** What the hub's own tools cut checkpoints into. */
const MOST_SHARD_BYTES = 5e9;
const CHUNK_BYTES = 8 * 1024 * 1024;

/** A file of a checkpoint that is being made; its bytes come in pieces of a few megabytes. */
export interface SyntheticFile {
  name: string;
  bytes: number;
  pieces(): Iterable<Uint8Array>;
}

/** {@link syntheticFiles} in the shapes of a published model, with at most `layers` layers in decoder and vision encoder. */
export function syntheticModelFiles(like: string, seed: number, layers?: number) {
  const checkpoint = syntheticCheckpoint(like, layers);
  const bytes = checkpoint.tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  return { files: syntheticFiles(checkpoint, seed), layers: checkpoint.config.llm.layers, parameters: bytes / 2 };
}

/**
 * The files of a synthetic checkpoint, in the order to write them: config.json is the last, so that a folder with one is
 * complete. The weights are a function of the seed, whatever the shards.
 */
export function syntheticFiles(checkpoint: SyntheticCheckpoint, seed: number, mostShardBytes = MOST_SHARD_BYTES): SyntheticFile[] {
  const shards = shardsOf(checkpoint.tensors, mostShardBytes);
  const weightMap: Record<string, string> = {};
  const weights = shards.map((tensors, i) => {
    const name = shards.length === 1 ? 'model.safetensors' : `model-${fiveDigits(i + 1)}-of-${fiveDigits(shards.length)}.safetensors`;
    for (const tensor of tensors) weightMap[checkpoint.fileName(tensor.name)] = name;
    const { header, order, totalBytes } = buildHeader(
      tensors.map((tensor) => ({ spec: tensor, name: checkpoint.fileName(tensor.name), shape: tensor.shape, dtype: 'BF16' as const })),
      { format: 'pt' },
    );
    return { name, bytes: totalBytes, pieces: () => shardPieces(header, order, checkpoint, seed) };
  });
  const index = { metadata: { total_size: checkpoint.tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0) }, weight_map: weightMap };
  const texts: Record<string, object> = { ...(shards.length > 1 && { 'model.safetensors.index.json': index }), ...checkpoint.files };
  const { 'config.json': config, ...others } = texts;
  return [...weights, ...Object.entries({ ...others, 'config.json': config! }).map(([name, content]) => jsonFile(name, content))];
}

/** bf16 */
function bytesOf({ shape }: ParameterSpec): number {
  return shape.reduce((product, extent) => product * extent, 2);
}

function shardsOf(tensors: readonly ParameterSpec[], mostBytes: number): ParameterSpec[][] {
  const shards: ParameterSpec[][] = [];
  let room = 0;
  for (const tensor of tensors) {
    const bytes = bytesOf(tensor);
    if (bytes > room) {
      shards.push([]);
      room = mostBytes;
    }
    shards.at(-1)!.push(tensor);
    room -= bytes;
  }
  return shards;
}

function* shardPieces(
  header: Uint8Array,
  order: readonly { spec: ParameterSpec }[],
  checkpoint: SyntheticCheckpoint,
  seed: number,
): Generator<Uint8Array> {
  yield header;
  for (const { spec: tensor } of order) {
    const rows = tensor.shape[0]!;
    const most = Math.max(1, Math.floor(CHUNK_BYTES / (bytesOf(tensor) / rows)));
    const make = syntheticRows(checkpoint, tensor, seed);
    for (let row = 0; row < rows; row += most) yield new Uint8Array(make(row, Math.min(most, rows - row)).buffer);
  }
}

function jsonFile(name: string, content: object): SyntheticFile {
  const bytes = new TextEncoder().encode(`${JSON.stringify(content, null, 1)}\n`);
  return { name, bytes: bytes.length, pieces: () => [bytes] };
}

function fiveDigits(n: number): string {
  return String(n).padStart(5, '0');
}
