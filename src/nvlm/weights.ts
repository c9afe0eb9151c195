import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { NvlmError } from '../errors.ts';
import { sidesOf } from '../ops/affine.ts';
import { linear } from '../ops/linear/linear.ts';
import { linearEach } from '../ops/linear/linear-each.ts';
import type { EmbeddingTable, LinearWeight } from '../ops/types.ts';

/** A LoRA adapter's change to one linear: W + scale · A · B. */
export interface LowRankUpdate {
  /** f32 [in, rank] */
  a: Tensor2D;
  /** f32 [rank, out] */
  b: Tensor2D;
  scale: number;
  /** Applied to the input while training. */
  dropout: ((x: Tensor2D) => Tensor2D) | null;
}

/** A linear by its name without `.weight`, and what its outputs are added to. */
export interface Applied {
  name: string;
  /** [R, out] */
  residual?: Tensor2D;
}

export type LinearSize = Pick<LinearWeight, 'inFeatures' | 'outFeatures'>;

/** The tensors of one model on the device, by checkpoint name. Owns them: `dispose` frees the lot. */
export class Weights {
  readonly linears = new Map<string, LinearWeight>();
  readonly vectors = new Map<string, Tensor1D>();
  readonly embeddings = new Map<string, EmbeddingTable>();
  /** By the name of the linear they change, without `.weight`. */
  readonly updates = new Map<string, LowRankUpdate[]>();

  /** Do all tensors stay where they are on the device until {@link dispose}? */
  readonly stays: boolean = true;

  /** `name` without `.weight`. */
  linear(name: string): LinearWeight {
    return found(this.linears.get(`${name}.weight`), `${name}.weight`);
  }

  /** What a linear maps, without needing it on the device; `name` without `.weight`. null when there is none. */
  linearSize(name: string): LinearSize | null {
    return this.linears.get(`${name}.weight`) ?? null;
  }

  /** The bias that goes with {@link linear}, when the checkpoint has one. */
  bias(name: string): Tensor1D | null {
    return this.vectors.get(`${name}.bias`) ?? null;
  }

  vector(name: string): Tensor1D {
    return found(this.vectors.get(name), name);
  }

  embedding(name: string): EmbeddingTable {
    return found(this.embeddings.get(name), name);
  }

  /**
   * The linear of a checkpoint name with its bias.
   * @param x [R, in] @returns [R, out]
   */
  apply(name: string, x: Tensor2D): Tensor2D {
    return linear(x, this.linear(name), this.bias(name));
  }

  /**
   * {@link apply} of several linears to the same rows, each added to its residual [R, out] where it has one.
   * @returns [R, out] of each
   */
  applyEach(linears: readonly Applied[], x: Tensor2D): Tensor2D[] {
    return linearEach(
      x,
      linears.map(({ name, residual }) => ({ weight: this.linear(name), bias: this.bias(name), residual })),
    );
  }

  /** A table that has the rows of these ids, and which of its rows each id is. */
  rowsOf(name: string, ids: Int32Array): { table: EmbeddingTable; ids: Int32Array } {
    return { table: this.embedding(name), ids };
  }

  /** Bytes on the device; a tied head that shares the embedding's tensor counts once. */
  get bytes(): number {
    const tensors = new Map(this.tensors().map((tensor) => [tensor.dataId, tensor.size * 4]));
    return [...tensors.values()].reduce((sum, size) => sum + size, 0);
  }

  dispose(): void {
    for (const tensor of this.tensors()) if (!tensor.isDisposed) tensor.dispose();
    this.linears.clear();
    this.vectors.clear();
    this.embeddings.clear();
    this.updates.clear();
  }

  private tensors() {
    return [
      ...[...this.linears.values(), ...this.embeddings.values()].flatMap(tensorsOf),
      ...this.vectors.values(),
      ...[...this.updates.values()].flat().flatMap(({ a, b }) => [a, b]),
    ];
  }
}

/** Everything that a matrix holds on the device. */
export function tensorsOf(matrix: LinearWeight | EmbeddingTable): Tensor2D[] {
  if (matrix.kind === 'parts') return matrix.parts.flatMap(tensorsOf);
  return matrix.kind === 'affine' ? [matrix.data, ...Object.values<Tensor2D>(sidesOf(matrix))] : [matrix.data];
}

/**
 * A matrix as one tensor, as training needs it.
 * @throws NvlmError `usage` for one in parts
 */
export function inOnePiece<M extends LinearWeight | EmbeddingTable>(name: string, matrix: M): Exclude<M, { kind: 'parts' }> {
  if (matrix.kind !== 'parts') return matrix as Exclude<M, { kind: 'parts' }>;
  throw new NvlmError(
    'usage',
    `${name} is larger than this device binds at once and cannot be trained itself.`,
    'Train a LoRA adapter on it: add "lora" to the run file.',
  );
}

function found<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`Weight ${name} was not loaded.`);
  return value;
}
