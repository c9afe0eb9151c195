import { f32ToBf16 } from '../weights/dtype.ts';
import type { NvlmConfig } from './config.ts';
import { FAMILIES } from './families/list.ts';
import { parameterSpecs, type ParameterSpec } from './names.ts';
import { parseConfig } from './parse-config.ts';

const SHAPES = new Map(FAMILIES.flatMap(({ synthetic }) => Object.entries(synthetic)));

/** Published models whose shapes and names a synthetic checkpoint can have: those of all families. */
export const SYNTHETIC_MODELS: readonly string[] = [...SHAPES.keys()];

/** Everything of a checkpoint folder but the weights' bytes, which {@link syntheticRows} makes piece by piece. */
export interface SyntheticCheckpoint {
  /** Small files by name. */
  files: Record<string, object>;
  config: NvlmConfig;
  /** All bf16, by this project's names; in the order of the forward pass. */
  tensors: ParameterSpec[];
  /** What a tensor is called in the file. */
  fileName(tensor: string): string;
  /** See `visionDummyHeads`. */
  dummyHeads: number;
}

/**
 * @param like one of {@link SYNTHETIC_MODELS}
 * @param layers at most so many layers in the decoder and in the vision encoder; all when undefined
 */
export function syntheticCheckpoint(like: string, layers = Infinity): SyntheticCheckpoint {
  const shape = SHAPES.get(like);
  if (!shape) throw new RangeError(`There is no synthetic ${like}.`);
  const { 'config.json': json, ...files } = shape.files(layers);
  const config = parseConfig(json, files['preprocessor_config.json'] ?? null);
  const described = { ...json, synthetic: `Random weights in the shapes of ${like}, with a stand-in tokenizer.` };
  const naming = config.family.namings.at(-1)!;
  return {
    config,
    dummyHeads: shape.dummyHeads,
    tensors: parameterSpecs(config, shape.dummyHeads),
    fileName: (tensor) => naming.sourceNames(tensor)[0]!,
    files: { ...files, 'config.json': described },
  };
}

/** Uniform values of standard deviation 1; the upper or lower half of a random word picks one. */
const LEVELS = Float32Array.from({ length: 1 << 16 }, (_, i) => ((i + 0.5) / 2 ** 15 - 1) * Math.sqrt(3));

/**
 * Makes the rows of one tensor: a function of seed, name and place alone, in whatever pieces they are asked for.
 *
 * Matrices have variance 1 / columns, so that activations keep their size through any number of layers; norms are 1, layer
 * scales 0.1, gates open. The dummy heads' parts are zero, as in the published checkpoint.
 *
 * @returns bf16 words [count, columns], columns = everything after the first dimension
 */
export function syntheticRows(
  { config, dummyHeads }: Pick<SyntheticCheckpoint, 'config' | 'dummyHeads'>,
  { name, role, shape }: ParameterSpec,
  seed: number,
): (firstRow: number, count: number) => Uint16Array {
  const columns = shape.slice(1).reduce((product, extent) => product * extent, 1);
  const real = realPart(config, dummyHeads, name);
  const fixed = fixedValue(name);
  const deviation = role === 'linear' ? 1 / Math.sqrt(columns) : 0.02;
  const words = f32ToBf16(fixed === null ? LEVELS.map((value) => value * deviation) : Float32Array.of(fixed));
  const key = hash(seed, name);
  return (firstRow, count) => {
    const out = new Uint16Array(count * columns);
    if (fixed !== null) out.fill(words[0]!);
    else {
      const first = firstRow * columns;
      for (let i = 0; i < out.length; i++) out[i] = words[random(key, first + i)]!;
    }
    if (!real) return out;
    for (let row = 0; row < count; row++) {
      const start = row * columns;
      if (!real.row(firstRow + row)) out.fill(0, start, start + columns);
      else if (real.columns < columns) out.fill(0, start + real.columns, start + columns);
    }
    return out;
  };
}

function fixedValue(name: string): number | null {
  if (/(norm\d?|mlp1\.0)\.weight$/.test(name)) return 1;
  if (/\.ls[12]$/.test(name)) return 0.1;
  if (name.endsWith('.cross_attn_gate')) return 0.5;
  return null;
}

/** Rows and columns of a vision attention tensor that are not dummy heads. */
function realPart({ vision }: NvlmConfig, dummyHeads: number, name: string) {
  if (!vision || dummyHeads === 0 || !name.includes('.attn.')) return null;
  const { hiddenSize, heads } = vision;
  const stored = hiddenSize + dummyHeads * (hiddenSize / heads);
  if (name.endsWith('.attn.proj.bias')) return null;
  if (name.endsWith('.attn.proj.weight')) return { row: () => true, columns: hiddenSize };
  return { row: (row: number) => row % stored < hiddenSize, columns: Infinity };
}

/** FNV-1a over seed and name. */
function hash(seed: number, name: string): number {
  let value = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < name.length; i++) value = Math.imul(value ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return value;
}

/** 16 random bits for place `i` (murmur3's finaliser over a counter). */
function random(key: number, i: number): number {
  let h = Math.imul(i + key, 0x9e3779b1) ^ key;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) & 0xffff;
}
