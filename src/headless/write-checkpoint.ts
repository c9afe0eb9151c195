import { open, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfAborted } from '../errors.ts';
import type { ParameterSpec } from '../nvlm/names.ts';
import { syntheticRows, type SyntheticCheckpoint } from '../nvlm/synthetic-checkpoint.ts';
import { buildHeader } from '../weights/safetensors.ts';

/** What the hub's own tools cut checkpoints into. */
const MOST_SHARD_BYTES = 5e9;
const CHUNK_BYTES = 8 * 1024 * 1024;

export interface WriteOptions {
  mostShardBytes?: number;
  signal?: AbortSignal;
  /** Bytes of weights so far, and the file that they go to. */
  onWritten?: (written: number, file: string) => void;
}

/** bf16 */
export function bytesOf({ shape }: ParameterSpec): number {
  return shape.reduce((product, extent) => product * extent, 2);
}

/**
 * Writes a synthetic checkpoint into a folder, a few megabytes at a time. config.json comes last: a folder with one is complete.
 * @returns the number of shards
 * @throws NvlmError `cancelled`
 */
export async function writeCheckpoint(
  folder: string,
  checkpoint: SyntheticCheckpoint,
  seed: number,
  { mostShardBytes = MOST_SHARD_BYTES, signal, onWritten }: WriteOptions = {},
): Promise<number> {
  const shards = shardsOf(checkpoint.tensors, mostShardBytes);
  const weightMap: Record<string, string> = {};
  let written = 0;
  for (const [i, tensors] of shards.entries()) {
    const name = shards.length === 1 ? 'model' : `model-${fiveDigits(i + 1)}-of-${fiveDigits(shards.length)}`;
    const file = `${name}.safetensors`;
    for (const tensor of tensors) weightMap[tensor.name] = file;
    const handle = await open(join(folder, file), 'w');
    try {
      await writeShard(handle, tensors, checkpoint, seed, signal, (more) => onWritten?.((written += more), file));
    } finally {
      await handle.close();
    }
  }
  if (shards.length > 1) {
    await writeJson(folder, 'model.safetensors.index.json', { metadata: { total_size: written }, weight_map: weightMap });
  }
  for (const [name, content] of Object.entries(checkpoint.files).reverse()) await writeJson(folder, name, content);
  return shards.length;
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

async function writeShard(
  file: FileHandle,
  tensors: readonly ParameterSpec[],
  checkpoint: SyntheticCheckpoint,
  seed: number,
  signal: AbortSignal | undefined,
  onWritten: (bytes: number) => void,
): Promise<void> {
  const { header, order } = buildHeader(
    tensors.map((tensor) => ({ ...tensor, dtype: 'BF16' as const })),
    { format: 'pt' },
  );
  await file.writeFile(header);
  for (const tensor of order) {
    const rows = tensor.shape[0]!;
    const most = Math.max(1, Math.floor(CHUNK_BYTES / (bytesOf(tensor) / rows)));
    const make = syntheticRows(checkpoint, tensor, seed);
    for (let row = 0; row < rows; row += most) {
      throwIfAborted(signal);
      const words = make(row, Math.min(most, rows - row));
      await file.writeFile(new Uint8Array(words.buffer));
      onWritten(words.byteLength);
    }
  }
}

async function writeJson(folder: string, name: string, content: object): Promise<void> {
  await writeFile(join(folder, name), `${JSON.stringify(content, null, 1)}\n`);
}

function fiveDigits(n: number): string {
  return String(n).padStart(5, '0');
}
