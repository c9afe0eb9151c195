import { unroll } from '../unroll.ts';
import type { Program } from '../webgpu-program.ts';
import { maskInputs, type MaskTensors } from './mask-wgsl.ts';
import { common, componentsOf, inputList, UNIFORMS } from './wgsl.ts';

/**
 * What a tile program computes. A workgroup owns 16 rows (or, for `dk` and `dv`, 16 keys) of one head and walks over
 * the other side in chunks of 32; nothing of size rows × keys is stored (FlashAttention, Dao et al. 2022).
 *
 *                keys 0…31    32…63    64…95
 *     rows 0…15  [ chunk ] ►  [    ] ► [    ]    one workgroup: scores of 16 × 32 pairs in workgroup memory,
 *     rows 16…31 [       ] ►  [    ] ► [    ]    then softmax's maximum and sum so far, and the output so far, are brought up to date
 *
 * - `forward`: softmax(q · kᵀ) · v with a running maximum
 * - `stats`: log-sum-exp of each row's scores and dy · output, [B·T, H, 2], for the gradients
 * - `dq`, `dk`, `dv`: the gradients, from weights computed again as exp(score − log-sum-exp)
 */
export type TileKind = 'forward' | 'stats' | 'dq' | 'dk' | 'dv';

/** Owned rows or keys of a workgroup. */
export const OWNED = 16;
const CHUNK = 32;
const THREADS = 64;

/** A row that sees nothing: exp(score − this) is zero for every score. */
const NOTHING = '3e38';

const VECTORS: Record<TileKind, string[]> = {
  forward: ['q', 'k', 'v'],
  stats: ['q', 'k', 'output', 'dy'],
  dq: ['q', 'k', 'v', 'dy'],
  dk: ['q', 'k', 'v', 'dy'],
  dv: ['q', 'k', 'dy'],
};

const usesStats = (kind: TileKind) => kind === 'dq' || kind === 'dk' || kind === 'dv';

/** Names of the inputs in binding order, the mask's excepted. */
export function tileInputs(kind: TileKind): string[] {
  return usesStats(kind) ? [...VECTORS[kind], 'stats'] : VECTORS[kind];
}

export function tileProgram(kind: TileKind, dim: number, mask: MaskTensors): Program {
  const scalars = [...(usesStats(kind) ? ['stats'] : []), ...maskInputs(mask).map(({ name }) => name)];
  return {
    name: `attention-${kind}`,
    inputs: inputList(dim, VECTORS[kind], scalars),
    uniforms: UNIFORMS,
    outputComponents: kind === 'stats' ? 1 : componentsOf(dim),
    threads: THREADS,
    code: common(dim, mask) + (kind === 'dk' || kind === 'dv' ? keyTile(kind, dim) : rowTile(kind, dim)),
  };
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/**
 * Who accumulates what: of the 16 owned rows × UNITS vector steps, a thread holds `perThread` rows of `steps` vector
 * steps, so that each vector it reads serves several rows.
 */
function accumulators(dim: number) {
  const units = dim / componentsOf(dim);
  const lanes = Math.min(THREADS, Math.max(THREADS / OWNED, 2 ** Math.ceil(Math.log2(units))));
  const steps = Math.ceil(units / lanes);
  const perThread = (OWNED * lanes) / THREADS;
  const ownedRow = (r: number) => `(localIndex / ${lanes}u * ${perThread}u + ${r}u)`;
  const all = range(perThread).flatMap((r) => range(steps).map((u) => ({ r, u, name: `acc${r}_${u}` })));
  return {
    declare: all.map(({ name }) => `var ${name} = V();`).join(' '),
    scale: (factor: (row: string) => string) => all.map(({ r, name }) => `${name} *= ${factor(ownedRow(r))};`).join(' '),
    /** Adds weight(row) · vectors[base + unit] for all accumulators. */
    add: (vectors: string, base: string, weight: (row: string) => string) =>
      range(steps)
        .map(
          (u) => /* wgsl */ `
            if (localIndex % ${lanes}u + ${u * lanes}u < UNITS) {
              let vector = ${vectors}[${base} + localIndex % ${lanes}u + ${u * lanes}u];
              ${range(perThread)
                .map((r) => `acc${r}_${u} += ${weight(ownedRow(r))} * vector;`)
                .join(' ')}
            }`,
        )
        .join(''),
    /** Writes each accumulator through `place(row)`, the result's base for an owned row; `factor` multiplies. */
    write: (valid: (row: string) => string, place: (row: string) => string, factor: (row: string) => string) =>
      all
        .map(({ r, u, name }) => {
          const row = ownedRow(r);
          const unit = `(localIndex % ${lanes}u + ${u * lanes}u)`;
          const value = `${name} * ${factor(row)}`;
          return `if (${unit} < UNITS && ${valid(row)}) { result[${place(row)} + ${unit}] = ${value}; }`;
        })
        .join('\n        '),
  };
}

/** Rows or keys of the owned side, and of the walked side, whose products one thread takes. */
const OWN = 2;
const WALK = 4;

/** The owned × walked dot products of one thread, in variables `<name><i><j>`. */
function dots(products: { name: string; owned: string; walked: string }[]): string {
  const each = (statement: (i: number, j: number) => string) => unroll(OWN, (i) => unroll(WALK, (j) => statement(i, j)));
  const declare = products.map(({ name }) => each((i, j) => `var ${name}${i}${j} = 0.0;`));
  const load = products.flatMap(({ owned, walked }) => [
    unroll(OWN, (i) => `let ${owned}Own${i} = ${owned}[ownedAt${i} + u];`),
    unroll(WALK, (j) => `let ${walked}Walk${j} = ${walked}[walkedAt${j} + u];`),
  ]);
  const add = products.map(({ name, owned, walked }) => each((i, j) => `${name}${i}${j} += inner(${owned}Own${i}, ${walked}Walk${j});`));
  return /* wgsl */ `
          ${declare.join('\n')}
          for (var u = 0u; u < UNITS; u++) {
            ${[...load, ...add].join('\n')}
          }`;
}

/** Writes the weight of each owned × walked pair to workgroup memory: `value`, or `hidden` where not `visible`. */
function storeWeights(visible: (i: number, j: number) => string, value: (i: number, j: number) => string, hidden: string): string {
  const store = (i: number, j: number) => /* wgsl */ `
          {
            var w = ${hidden};
            if (${visible(i, j)}) {
              w = ${value(i, j)};
            }
            weights[(ownedBase + ${i}u) * ${CHUNK}u + lane + ${8 * j}u] = w;
          }`;
  return unroll(OWN, (i) => unroll(WALK, (j) => store(i, j)));
}

/** Programs whose workgroup owns query rows and walks over keys. */
function rowTile(kind: 'forward' | 'stats' | 'dq', dim: number): string {
  const acc = accumulators(dim);
  const products = [{ name: 'qk', owned: 'q', walked: 'k' }];
  if (kind === 'dq') products.push({ name: 'dyv', owned: 'dy', walked: 'v' });
  const visible = (i: number, j: number) => `t${i} < uniforms.rows && s${j} < limit && sees(b, t${i}, s${j})`;
  const store =
    kind === 'dq'
      ? storeWeights(visible, (i, j) => `exp(qk${i}${j} * SCALE - lse${i}) * (dyv${i}${j} - delta${i}) * SCALE`, '0.0')
      : storeWeights(visible, (i, j) => `qk${i}${j} * SCALE`, 'HIDDEN');
  const ownedRow = (i: number) => /* wgsl */ `
        let t${i} = base + ownedBase + ${i}u;
        let row${i} = rowHeadInside(b, t${i}, h);
        let ownedAt${i} = row${i} * UNITS;`;
  const rowStats = (i: number) => `let lse${i} = stats[row${i} * 2u]; let delta${i} = stats[row${i} * 2u + 1u];`;
  const walkedKey = (j: number) => /* wgsl */ `
          let s${j} = chunk + lane + ${8 * j}u;
          let walkedAt${j} = keyHeadInside(b, s${j}, g) * UNITS;`;
  const softmax = /* wgsl */ `
          if (localIndex < ${OWNED}u) {
            let base = localIndex * ${CHUNK}u;
            let before = peaks[localIndex];
            var peak = before;
            for (var j = 0u; j < ${CHUNK}u; j++) {
              peak = max(peak, weights[base + j]);
            }
            let factor = exp(before - peak);
            var sum = sums[localIndex] * factor;
            for (var j = 0u; j < ${CHUNK}u; j++) {
              let score = weights[base + j];
              var w = 0.0;
              if (score > HIDDEN) {
                w = exp(score - peak);
              }
              weights[base + j] = w;
              sum += w;
            }
            peaks[localIndex] = peak;
            sums[localIndex] = sum;
            factors[localIndex] = factor;
          }
          workgroupBarrier();`;
  const accumulate = /* wgsl */ `
          ${kind === 'forward' ? acc.scale((row) => `factors[${row}]`) : ''}
          let walked = min(${CHUNK}u, limit - chunk);
          for (var j = 0u; j < walked; j++) {
            let at = keyHead(b, chunk + j, g) * UNITS;
            ${acc.add(kind === 'forward' ? 'v' : 'k', 'at', (row) => `weights[${row} * ${CHUNK}u + j]`)}
          }`;
  const valid = (row: string) => `(base + ${row} < uniforms.rows && b < uniforms.batch)`;
  const place = (row: string) => `rowHead(b, base + ${row}, h) * UNITS`;
  const finish = {
    forward: acc.write(valid, place, (row) => `select(0.0, 1.0 / sums[${row}], sums[${row}] > 0.0)`),
    dq: acc.write(valid, place, () => '1.0'),
    stats: /* wgsl */ `
        if (localIndex < ${OWNED}u && ${valid('localIndex')}) {
          let at = rowHead(b, base + localIndex, h);
          var lse = ${NOTHING};
          if (sums[localIndex] > 0.0) {
            lse = peaks[localIndex] + log(sums[localIndex]);
          }
          var delta = 0.0;
          for (var u = 0u; u < UNITS; u++) {
            delta += inner(dy[at * UNITS + u], output[at * UNITS + u]);
          }
          result[at * 2u] = lse;
          result[at * 2u + 1u] = delta;
        }`,
  }[kind];
  return /* wgsl */ `
      // Small on purpose: software GPU adapters take long to compile programs with much workgroup memory.
      var<workgroup> weights : array<f32, ${OWNED * CHUNK}>;
      var<workgroup> factors : array<f32, ${OWNED}>;
      var<workgroup> peaks : array<f32, ${OWNED}>;
      var<workgroup> sums : array<f32, ${OWNED}>;
      var<workgroup> sharedLimit : u32;
      fn main() {
        let tileCount = (uniforms.rows + ${OWNED - 1}u) / ${OWNED}u;
        let h = groupIndex() % uniforms.heads;
        let g = h / (uniforms.heads / uniforms.kvHeads);
        let base = groupIndex() / uniforms.heads % tileCount * ${OWNED}u;
        let b = groupIndex() / uniforms.heads / tileCount;
        if (localIndex == 0u) {
          sharedLimit = 0u;
          if (b < uniforms.batch) {
            sharedLimit = keyLimit(b, min(base + ${OWNED}u, uniforms.rows) - 1u);
          }
        }
        if (localIndex < ${OWNED}u) {
          peaks[localIndex] = HIDDEN;
          sums[localIndex] = 0.0;
        }
        // Barriers need a bound that is the same for the whole workgroup, known to the compiler to be so.
        let limit = workgroupUniformLoad(&sharedLimit);
        let ownedBase = localIndex / 8u * 2u;
        let lane = localIndex % 8u;
        ${unroll(OWN, ownedRow)}
        ${kind === 'dq' ? unroll(OWN, rowStats) : ''}
        ${kind === 'stats' ? '' : acc.declare}
        for (var chunk = 0u; chunk < limit; chunk += ${CHUNK}u) {
          ${unroll(WALK, walkedKey)}
          ${dots(products)}
          ${store}
          workgroupBarrier();
          ${kind === 'dq' ? '' : softmax}
          ${kind === 'stats' ? '' : accumulate}
          workgroupBarrier();
        }
        ${finish}
      }
  `;
}

/** Programs whose workgroup owns keys of one kv head and walks over the rows of all query heads that read it. */
function keyTile(kind: 'dk' | 'dv', dim: number): string {
  const acc = accumulators(dim);
  const products = [{ name: 'qk', owned: 'k', walked: 'q' }];
  if (kind === 'dk') products.push({ name: 'dyv', owned: 'v', walked: 'dy' });
  const store = storeWeights(
    (i, j) => `s${i} < uniforms.keys && t${j} < uniforms.rows && sees(b, t${j}, s${i})`,
    (i, j) => {
      const weight = `exp(qk${i}${j} * SCALE - stats[row${j} * 2u])`;
      return kind === 'dk' ? `${weight} * (dyv${i}${j} - stats[row${j} * 2u + 1u]) * SCALE` : weight;
    },
    '0.0',
  );
  const ownedKey = (i: number) => /* wgsl */ `
        let s${i} = base + ownedBase + ${i}u;
        let ownedAt${i} = keyHeadInside(b, s${i}, g) * UNITS;`;
  const walkedRow = (j: number) => /* wgsl */ `
            let t${j} = chunk + lane + ${8 * j}u;
            let row${j} = rowHeadInside(b, t${j}, h);
            let walkedAt${j} = row${j} * UNITS;`;
  return /* wgsl */ `
      var<workgroup> weights : array<f32, ${OWNED * CHUNK}>;
      var<workgroup> sharedFirst : u32;
      fn main() {
        let tileCount = (uniforms.keys + ${OWNED - 1}u) / ${OWNED}u;
        let g = groupIndex() % uniforms.kvHeads;
        let base = groupIndex() / uniforms.kvHeads % tileCount * ${OWNED}u;
        let b = groupIndex() / uniforms.kvHeads / tileCount;
        if (localIndex == 0u) {
          sharedFirst = uniforms.rows;
          if (b < uniforms.batch) {
            sharedFirst = firstRow(b, base);
          }
        }
        let first = workgroupUniformLoad(&sharedFirst);
        let ownedBase = localIndex / 8u * 2u;
        let lane = localIndex % 8u;
        ${unroll(OWN, ownedKey)}
        ${acc.declare}
        let group = uniforms.heads / uniforms.kvHeads;
        for (var member = 0u; member < group; member++) {
          let h = g * group + member;
          for (var chunk = first; chunk < uniforms.rows; chunk += ${CHUNK}u) {
            ${unroll(WALK, walkedRow)}
            ${dots(products)}
            ${store}
            workgroupBarrier();
            let walked = min(${CHUNK}u, uniforms.rows - chunk);
            for (var j = 0u; j < walked; j++) {
              let at = rowHead(b, chunk + j, h) * UNITS;
              ${acc.add(kind === 'dk' ? 'q' : 'dy', 'at', (row) => `weights[${row} * ${CHUNK}u + j]`)}
            }
            workgroupBarrier();
          }
        }
        ${acc.write(
          (row) => `(base + ${row} < uniforms.keys && b < uniforms.batch)`,
          (row) => `keyHead(b, base + ${row}, g) * UNITS`,
          () => '1.0',
        )}
      }
  `;
}
