import type { ParameterSpec } from '../../nvlm/names.ts';
import { syntheticCheckpoint, syntheticRows, type SyntheticCheckpoint } from '../../nvlm/synthetic-checkpoint.ts';
import { buildHeader } from '../../weights/safetensors.ts';

export { SYNTHETIC_MODELS } from '../../nvlm/synthetic-checkpoint.ts';

/** What the hub's own tools cut checkpoints into. */
const MOST_SHARD_BYTES = 5e9;
const CHUNK_BYTES = 8 * 1024 * 1024;

/** A file of a checkpoint that is being made: any of its bytes at any time, or all of them in pieces of a few megabytes. */
export interface SyntheticFile {
  name: string;
  bytes: number;
  /** The bytes [start, end), the caller's own. */
  read(start: number, end: number): Uint8Array;
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
    return fileOf(name, totalBytes, shardReader(header, order, checkpoint, seed));
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

function fileOf(name: string, bytes: number, read: SyntheticFile['read']): SyntheticFile {
  function* pieces() {
    for (let at = 0; at < bytes; at += CHUNK_BYTES) yield read(at, Math.min(bytes, at + CHUNK_BYTES));
  }
  return { name, bytes, read, pieces };
}

function shardReader(
  header: Uint8Array,
  order: readonly { spec: ParameterSpec }[],
  checkpoint: SyntheticCheckpoint,
  seed: number,
): SyntheticFile['read'] {
  let at = header.length;
  const places = order.map(({ spec }) => {
    const start = at;
    at += bytesOf(spec);
    return { spec, start, end: at };
  });
  // Files are read forwards: the tables that a tensor's rows are made from are there until the next one's turn.
  let making: { spec: ParameterSpec; rows: ReturnType<typeof syntheticRows> } | null = null;
  const rowsOf = (spec: ParameterSpec) => {
    if (making?.spec !== spec) making = { spec, rows: syntheticRows(checkpoint, spec, seed) };
    return making.rows;
  };
  return (start, end) => {
    const out = new Uint8Array(end - start);
    if (start < header.length) out.set(header.subarray(start, end));
    for (const { spec, ...place } of places) {
      const from = Math.max(start, place.start);
      const to = Math.min(end, place.end);
      if (from >= to) continue;
      const rowBytes = bytesOf(spec) / spec.shape[0]!;
      const [first, behind] = [Math.floor((from - place.start) / rowBytes), Math.ceil((to - place.start) / rowBytes)];
      const rows = new Uint8Array(rowsOf(spec)(first, behind - first).buffer);
      const skipped = from - place.start - first * rowBytes;
      out.set(rows.subarray(skipped, skipped + to - from), from - start);
    }
    return out;
  };
}

function jsonFile(name: string, content: object): SyntheticFile {
  const bytes = new TextEncoder().encode(`${JSON.stringify(content, null, 1)}\n`);
  return fileOf(name, bytes.length, (start, end) => bytes.slice(start, end));
}

function fiveDigits(n: number): string {
  return String(n).padStart(5, '0');
}
