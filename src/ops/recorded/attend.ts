import type { Tensor1D, Tensor3D } from '@tensorflow/tfjs';
import { ROTATION } from '../rope/program.ts';
import { unroll } from '../unroll.ts';
import { bufferOf, type Command } from './command-list.ts';

const THREADS = 128;
/** Of the 16 KiB that every device has for a workgroup: scores that it keeps, and values of the queries that share a head of keys. */
const MOST_SCORES = 2048;
const MOST_QUERY_VALUES = 1024;
const HIDDEN = '-1e30';

export interface AttendSizes {
  heads: number;
  kvHeads: number;
  /** Of one head. */
  dim: number;
  /** Places in the cache, or the image's keys. */
  keys: number;
}

export interface SelfAttention {
  /** f32 [(heads + 2 · kvHeads) · dim]: queries, keys and values of the new token, as projected. */
  fresh: GPUBuffer;
  /** Key and value cache, f32 [1, capacity, kvHeads · dim]; the new token's are written there. */
  k: Tensor3D;
  v: Tensor3D;
  inverseFrequencies: Tensor1D;
  /** RMSNorm of each head before rotation (Qwen3). */
  qkNorm: { q: Tensor1D; k: Tensor1D; eps: number } | null;
}

export interface CrossAttention {
  /** f32 [heads · dim] */
  queries: GPUBuffer;
  /** f32 [1, keys, kvHeads · dim] */
  k: Tensor3D;
  v: Tensor3D;
}

/** Can these heads be attended by {@link selfAttentionCommands}? */
export function isAttendable({ heads, kvHeads, dim }: Omit<AttendSizes, 'keys'>): boolean {
  return dim % 8 === 0 && dim <= 4 * THREADS && (heads / kvHeads) * dim <= MOST_QUERY_VALUES;
}

/** Runs of keys that are attended beside each other; with more than one, {@link partsLength} values are needed between two dispatches. */
export function runsOf({ heads, kvHeads, keys }: AttendSizes): number {
  return Math.ceil(keys / runLength(heads / kvHeads));
}

function runLength(group: number): number {
  return Math.max(64, Math.floor(MOST_SCORES / group / 64) * 64);
}

export function partsLength(sizes: AttendSizes): number {
  return sizes.heads * runsOf(sizes) * (sizes.dim + 2);
}

/**
 * One new token against the cache: a workgroup takes one head of keys, with all query heads that share it, and one run of keys, so the
 * cache is read once a kv head. It rotates its queries itself; the workgroup whose run the new token falls into rotates its key as well
 * and writes key and value to the cache.
 *
 * @param parts of {@link partsLength} values, where there are several runs
 * @param result f32 [heads · dim]
 */
export function selfAttentionCommands(
  sizes: AttendSizes,
  { fresh, k, v, inverseFrequencies, qkNorm }: SelfAttention,
  parts: GPUBuffer | null,
  result: GPUBuffer,
): Command[] {
  const { heads, kvHeads, dim, keys } = sizes;
  const half = dim / 8;
  const norm = (name: string, at: string, weight: string) =>
    qkNorm
      ? /* wgsl */ `
        var square = 0.0;
        for (var i = 0u; i < UNITS; i++) {
          let value = fresh[${at} + i];
          square += dot(value, value);
        }
        let scale = inverseSqrt(square / ${dim}.0 + ${qkNorm.eps});
        let a${name} = fresh[${at} + u] * scale * ${weight}[u];
        let b${name} = fresh[${at} + u + ${half}u] * scale * ${weight}[u + ${half}u];`
      : /* wgsl */ `
        let a${name} = fresh[${at} + u];
        let b${name} = fresh[${at} + u + ${half}u];`;
  const prepare = /* wgsl */ `
      // Queries, rotated: first and second half of a head turn together.
      for (var e = thread; e < GROUP * ${half}u; e += THREADS) {
        let head = e / ${half}u;
        let u = e % ${half}u;
        let at = (g * GROUP + head) * UNITS;
        ${norm('Q', 'at', 'qNorm')}
        var cosines : vec4<f32>;
        var sines : vec4<f32>;
        angles(u, &cosines, &sines);
        queries[head * UNITS + u] = aQ * cosines - bQ * sines;
        queries[head * UNITS + u + ${half}u] = bQ * cosines + aQ * sines;
      }
      if (step.position / RUN == run) {
        let to = (step.position * KV_HEADS + g) * UNITS;
        if (thread < ${half}u) {
          let u = thread;
          let at = (${heads}u + g) * UNITS;
          ${norm('K', 'at', 'kNorm')}
          var cosines : vec4<f32>;
          var sines : vec4<f32>;
          angles(u, &cosines, &sines);
          k[to + u] = aK * cosines - bK * sines;
          k[to + u + ${half}u] = bK * cosines + aK * sines;
        }
        for (var u = thread; u < UNITS; u += THREADS) {
          v[to + u] = fresh[(${heads + kvHeads}u + g) * UNITS + u];
        }
      }
      storageBarrier();
      workgroupBarrier();`;
  const helpers = /* wgsl */ `
    ${ROTATION}
    fn angles(u : u32, cosines : ptr<function, vec4<f32>>, sines : ptr<function, vec4<f32>>) {
      for (var i = 0u; i < 4u; i++) {
        let cs = turn(f32(step.position) * inverseFrequencies[u * 4u + i]);
        (*cosines)[i] = cs.x;
        (*sines)[i] = cs.y;
      }
    }`;
  const several = runsOf(sizes) > 1;
  return withCombine(sizes, parts, result, {
    label: 'decode-attention',
    threads: THREADS,
    groups: kvHeads * runsOf(sizes),
    bindings: [
      { name: 'fresh', type: 'vec4<f32>', buffer: fresh, access: 'read' },
      { name: 'inverseFrequencies', type: 'f32', buffer: bufferOf(inverseFrequencies), access: 'read' },
      ...(qkNorm
        ? [
            { name: 'qNorm', type: 'vec4<f32>', buffer: bufferOf(qkNorm.q), access: 'read' as const },
            { name: 'kNorm', type: 'vec4<f32>', buffer: bufferOf(qkNorm.k), access: 'read' as const },
          ]
        : []),
      { name: 'k', type: 'vec4<f32>', buffer: bufferOf(k), access: 'read_write' },
      { name: 'v', type: 'vec4<f32>', buffer: bufferOf(v), access: 'read_write' },
      { name: 'result', type: 'f32', buffer: several ? parts! : result, access: 'read_write' },
    ],
    code: attendCode(sizes, helpers, prepare, `min(${keys}u, step.position + 1u)`),
  });
}

/** The same for gated cross-attention: keys and values of the image as they are, all of them seen. */
export function crossAttentionCommands(
  sizes: AttendSizes,
  { queries, k, v }: CrossAttention,
  parts: GPUBuffer | null,
  result: GPUBuffer,
): Command[] {
  const prepare = /* wgsl */ `
      for (var e = thread; e < GROUP * UNITS; e += THREADS) {
        queries[e] = fresh[g * GROUP * UNITS + e];
      }
      workgroupBarrier();`;
  const several = runsOf(sizes) > 1;
  return withCombine(sizes, parts, result, {
    label: 'decode-cross-attention',
    threads: THREADS,
    groups: sizes.kvHeads * runsOf(sizes),
    bindings: [
      { name: 'fresh', type: 'vec4<f32>', buffer: queries, access: 'read' },
      { name: 'k', type: 'vec4<f32>', buffer: bufferOf(k), access: 'read' },
      { name: 'v', type: 'vec4<f32>', buffer: bufferOf(v), access: 'read' },
      { name: 'result', type: 'f32', buffer: several ? parts! : result, access: 'read_write' },
    ],
    code: attendCode(sizes, '', prepare, `${sizes.keys}u`),
  });
}

/** @param limit WGSL: keys that are seen, from the first one on */
function attendCode(sizes: AttendSizes, helpers: string, prepare: string, limit: string): string {
  const { heads, kvHeads, dim } = sizes;
  const group = heads / kvHeads;
  const units = dim / 4;
  const run = runLength(group);
  const runs = runsOf(sizes);
  // Threads side by side that share the maximum and the sum of one query head.
  const lanes = Math.max(1, Math.floor(THREADS / group));
  const slices = Math.floor(THREADS / units);
  const write =
    runs === 1
      ? unroll(4, (c) => `result[((g * GROUP + j) * UNITS + unit) * 4u + ${c}u] = total[${c}] / sum;`)
      : unroll(4, (c) => `result[part + unit * 4u + ${c}u] = total[${c}];`);
  // A loop, though what it adds up are registers: with barriers for each head software GPU adapters take a minute to compile it.
  const finish = /* wgsl */ `
      for (var j = 0u; j < GROUP; j++) {
        var own = acc0;
        ${unroll(group - 1, (i) => `if (j == ${i + 1}u) { own = acc${i + 1}; }`)}
        workgroupBarrier();
        shareSums[thread] = own;
        workgroupBarrier();
        if (slice == 0u) {
          var total = vec4<f32>();
          for (var i = 0u; i < ${slices}u; i++) {
            total += shareSums[i * UNITS + unit];
          }
          var sum = 0.0;
          for (var i = 0u; i < ${lanes}u; i++) {
            sum += sums[j * ${lanes}u + i];
          }
          let part = ((g * GROUP + j) * ${runs}u + run) * ${dim + 2}u;
          ${write}
          ${runs === 1 ? '' : `if (unit == 0u) { result[part + ${dim}u] = sum; result[part + ${dim + 1}u] = peakOf(j); }`}
        }
      }`;
  return /* wgsl */ `
    const GROUP : u32 = ${group}u;
    const KV_HEADS : u32 = ${kvHeads}u;
    const UNITS : u32 = ${units}u;
    const RUN : u32 = ${run}u;
    var<workgroup> queries : array<vec4<f32>, ${group * units}>;
    var<workgroup> scores : array<f32, ${group * run}>;
    var<workgroup> peaks : array<f32, ${THREADS}>;
    var<workgroup> sums : array<f32, ${THREADS}>;
    var<workgroup> shareSums : array<vec4<f32>, ${THREADS}>;
    ${helpers}
    fn peakOf(head : u32) -> f32 {
      var peak = ${HIDDEN};
      for (var i = 0u; i < ${lanes}u; i++) {
        peak = max(peak, peaks[head * ${lanes}u + i]);
      }
      return peak;
    }
    fn main(group : u32, thread : u32) {
      let g = group / ${runs}u;
      let run = group % ${runs}u;
      ${prepare}
      let limit = ${limit};
      let first = run * RUN;
      // Keys of this run; none behind the newest.
      let count = min(RUN, limit - min(limit, first));

      for (var s = thread; s < count; s += THREADS) {
        let at = ((first + s) * KV_HEADS + g) * UNITS;
        ${unroll(group, (j) => `var product${j} = 0.0;`)}
        for (var u = 0u; u < UNITS; u++) {
          let key = k[at + u];
          ${unroll(group, (j) => `product${j} += dot(queries[${j}u * UNITS + u], key);`)}
        }
        ${unroll(group, (j) => `scores[${j * run}u + s] = product${j} * ${1 / Math.sqrt(dim)};`)}
      }
      workgroupBarrier();

      let head = thread / ${lanes}u;
      let lane = thread % ${lanes}u;
      var peak = ${HIDDEN};
      if (head < GROUP) {
        for (var s = lane; s < count; s += ${lanes}u) {
          peak = max(peak, scores[head * RUN + s]);
        }
      }
      peaks[thread] = peak;
      workgroupBarrier();
      var ownSum = 0.0;
      if (head < GROUP) {
        let top = peakOf(head);
        for (var s = lane; s < count; s += ${lanes}u) {
          let weight = exp(scores[head * RUN + s] - top);
          scores[head * RUN + s] = weight;
          ownSum += weight;
        }
      }
      sums[thread] = ownSum;
      workgroupBarrier();

      let unit = thread % UNITS;
      let slice = thread / UNITS;
      ${unroll(group, (j) => `var acc${j} = vec4<f32>();`)}
      if (slice < ${slices}u) {
        for (var s = slice; s < count; s += ${slices}u) {
          let value = v[((first + s) * KV_HEADS + g) * UNITS + unit];
          ${unroll(group, (j) => `acc${j} += scores[${j * run}u + s] * value;`)}
        }
      }
      ${finish}
    }
  `;
}

/** Joins the runs: each brought its weighted sum, the sum of its weights and its largest score. One thread an element. */
function withCombine(sizes: AttendSizes, parts: GPUBuffer | null, result: GPUBuffer, attend: Command): Command[] {
  const runs = runsOf(sizes);
  if (runs === 1) return [attend];
  const { heads, dim } = sizes;
  return [
    attend,
    {
      label: 'decode-attention-combine',
      threads: 64,
      groups: Math.ceil((heads * dim) / 64),
      bindings: [
        { name: 'parts', type: 'f32', buffer: parts!, access: 'read' },
        { name: 'result', type: 'f32', buffer: result, access: 'read_write' },
      ],
      code: /* wgsl */ `
        fn main(group : u32, thread : u32) {
          let i = group * THREADS + thread;
          if (i >= ${heads * dim}u) {
            return;
          }
          let base = i / ${dim}u * ${runs * (dim + 2)}u;
          var peak = ${HIDDEN};
          for (var r = 0u; r < ${runs}u; r++) {
            peak = max(peak, parts[base + r * ${dim + 2}u + ${dim + 1}u]);
          }
          var sum = 0.0;
          var total = 0.0;
          for (var r = 0u; r < ${runs}u; r++) {
            let at = base + r * ${dim + 2}u;
            let factor = exp(parts[at + ${dim + 1}u] - peak);
            sum += factor * parts[at + ${dim}u];
            total += factor * parts[at + i % ${dim}u];
          }
          result[i] = total / sum;
        }
      `,
    },
  ];
}
