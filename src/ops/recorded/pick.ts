import type { Command } from './command-list.ts';

/** Logits that one workgroup of the first pass looks through. */
const CHUNK = 2048;
const THREADS = 128;
/** Stands in `picked` for "a logit was not a number". */
export const NOT_A_NUMBER = 0xffffffff;
/** Weights are searched four bits at a time. */
const BINS = 16;

export interface PickBuffers {
  /** f32 [vocab]; changed in place */
  logits: GPUBuffer;
  /** f32 [vocab] */
  weights: GPUBuffer;
  /** u32 [2 · ceil(vocab / 32)]: a bit a token, first those of the sequence so far, then those that are never picked. */
  marks: GPUBuffer;
  /** f32 and u32 pairs, [chunksOf(vocab) · 2]: the best of each chunk and its id. */
  best: GPUBuffer;
  /** u32 [1] */
  picked: GPUBuffer;
}

export function chunksOf(vocab: number): number {
  return Math.ceil(vocab / CHUNK);
}

export function markWords(vocab: number): number {
  return Math.ceil(vocab / 32);
}

/**
 * Picks the next token as `Sampler` (nvlm/sampler.ts) does, in its order: banned tokens, repetition penalty, then greedy, or temperature,
 * top-k, top-p and a draw. Sums are single precision here, so where the drawn number falls within rounding of a border the choice may
 * differ.
 *
 * Three dispatches: penalties and the best of each chunk; weights exp((logit − best) / temperature); the choice, by one workgroup. The
 * choice sorts nothing: what counts is where a running sum over the tokens, likeliest first, passes a value, and that is found by
 * narrowing the weight at which it does four bits at a time, with a pass over all weights each.
 */
export function pickCommands(vocab: number, { logits, weights, marks, best, picked }: PickBuffers): Command[] {
  const chunks = chunksOf(vocab);
  const read = 'read' as const;
  const write = 'read_write' as const;
  const reduceBest = (width: number) => /* wgsl */ `
    var<workgroup> values : array<f32, ${width}>;
    var<workgroup> ids : array<u32, ${width}>;
    /** Best of the workgroup's values, the lowest id of equals, in every thread. */
    fn bestOf(thread : u32, value : f32, id : u32) -> u32 {
      values[thread] = value;
      ids[thread] = id;
      workgroupBarrier();
      var winner = 0u;
      for (var i = 1u; i < ${width}u; i++) {
        if (values[i] > values[winner] || (values[i] == values[winner] && ids[i] < ids[winner])) {
          winner = i;
        }
      }
      return winner;
    }`;
  return [
    {
      label: 'pick-penalties',
      threads: THREADS,
      groups: chunks,
      bindings: [
        { name: 'logits', type: 'f32', buffer: logits, access: write },
        { name: 'marks', type: 'u32', buffer: marks, access: read },
        { name: 'best', type: 'vec2<u32>', buffer: best, access: write },
      ],
      code: /* wgsl */ `
        const LOWEST : f32 = -3.0e38;
        ${reduceBest(THREADS)}
        var<workgroup> broken : atomic<u32>;
        fn main(group : u32, thread : u32) {
          var value = LOWEST;
          var id = ${NOT_A_NUMBER - 1}u;
          for (var i = group * ${CHUNK}u + thread; i < min(${vocab}u, (group + 1u) * ${CHUNK}u); i += THREADS) {
            var logit = logits[i];
            // By its bits: shader compilers may assume that a number is equal to itself.
            if ((bitcast<u32>(logit) & 0x7fffffffu) > 0x7f800000u) {
              atomicStore(&broken, 1u);
            }
            let word = i / 32u;
            let bit = 1u << (i % 32u);
            if ((marks[word] & bit) != 0u) {
              logit = select(logit * step.repetitionPenalty, logit / step.repetitionPenalty, logit > 0.0);
            }
            if ((marks[${markWords(vocab)}u + word] & bit) != 0u) {
              logit = LOWEST;
            }
            logits[i] = logit;
            if (logit > value || id == ${NOT_A_NUMBER - 1}u) {
              value = logit;
              id = i;
            }
          }
          let winner = bestOf(thread, value, id);
          if (thread == 0u) {
            best[group] = vec2<u32>(bitcast<u32>(values[winner]), select(ids[winner], ${NOT_A_NUMBER}u, atomicLoad(&broken) == 1u));
          }
        }
      `,
    },
    {
      label: 'pick-weights',
      threads: THREADS,
      groups: Math.ceil(vocab / CHUNK),
      bindings: [
        { name: 'logits', type: 'f32', buffer: logits, access: read },
        { name: 'best', type: 'vec2<u32>', buffer: best, access: read },
        { name: 'weights', type: 'f32', buffer: weights, access: write },
      ],
      code: /* wgsl */ `
        fn main(group : u32, thread : u32) {
          if (step.temperature == 0.0) {
            return;
          }
          var top = bitcast<f32>(best[0].x);
          for (var i = 1u; i < ${chunks}u; i++) {
            top = max(top, bitcast<f32>(best[i].x));
          }
          for (var i = group * ${CHUNK}u + thread; i < min(${vocab}u, (group + 1u) * ${CHUNK}u); i += THREADS) {
            // Far below, exp is nothing; some drivers are not sure of that.
            weights[i] = exp(max((logits[i] - top) / step.temperature, -100.0)) * select(0.0, 1.0, (logits[i] - top) / step.temperature > -100.0);
          }
        }
      `,
    },
    {
      label: 'pick-choose',
      threads: THREADS,
      groups: 1,
      bindings: [
        { name: 'weights', type: 'f32', buffer: weights, access: read },
        { name: 'best', type: 'vec2<u32>', buffer: best, access: read },
        { name: 'marks', type: 'u32', buffer: marks, access: write },
        { name: 'picked', type: 'u32', buffer: picked, access: write },
      ],
      code: /* wgsl */ `
        const VOCAB : u32 = ${vocab}u;
        /** Tokens of one thread where they are taken in the order of their ids. */
        const EACH : u32 = ${Math.ceil(vocab / THREADS)}u;
        ${reduceBest(THREADS)}
        var<workgroup> bins : array<f32, ${THREADS * BINS}>;
        var<workgroup> binTotals : array<f32, ${BINS}>;
        var<workgroup> sums : array<f32, ${THREADS}>;
        var<workgroup> found : u32;

        /** Where the running sum over tokens, likeliest first, reaches a value. */
        struct Border {
          /** Weight of the token at which it does, and the sum before all tokens of that weight. */
          weight : f32,
          above : f32,
        }

        /**
         * @param counts sum ones instead of weights
         * @param strict the sum must pass the wanted value, not only reach it
         */
        fn borderAt(thread : u32, wanted : f32, counts : bool, strict : bool) -> Border {
          var low = 0u;
          var above = 0.0;
          // Weights lie in [0, 1]: as bits they are ordered like numbers, below 2^30.
          for (var shift = 28i; shift >= 0i; shift -= 4i) {
            // Zero by name: on SwiftShader a declaration alone kept the values of the turn before.
            var own = array<f32, ${BINS}>();
            for (var i = thread; i < VOCAB; i += THREADS) {
              let weight = weights[i];
              let bits = bitcast<u32>(weight);
              let bin = (bits - low) >> u32(shift);
              if (bits >= low && bin < ${BINS}u && weight > 0.0) {
                own[bin] += select(weight, 1.0, counts);
              }
            }
            for (var b = 0u; b < ${BINS}u; b++) {
              bins[thread * ${BINS}u + b] = own[b];
            }
            workgroupBarrier();
            if (thread < ${BINS}u) {
              var total = 0.0;
              for (var i = 0u; i < THREADS; i++) {
                total += bins[i * ${BINS}u + thread];
              }
              binTotals[thread] = total;
            }
            workgroupBarrier();
            // From the heaviest bin down; the lightest that holds anything if rounding leaves the sum short.
            var chosen = 0u;
            var before = above;
            var reached = false;
            for (var n = 0u; n < ${BINS}u; n++) {
              let b = ${BINS - 1}u - n;
              let total = binTotals[b];
              if (total > 0.0 && !reached) {
                chosen = b;
                before = above;
                above += total;
                reached = above > wanted || (!strict && above == wanted);
              }
            }
            above = before;
            low += chosen << u32(shift);
            workgroupBarrier();
          }
          return Border(bitcast<f32>(low), above);
        }

        /** Token number \`n\` (from 0) of those of this weight, by id; by running sum over all weights where \`weight\` is negative. */
        fn tokenAt(thread : u32, weight : f32, n : f32) -> u32 {
          let begin = thread * EACH;
          let end = min(VOCAB, begin + EACH);
          var own = 0.0;
          for (var i = begin; i < end; i++) {
            let value = weights[i];
            own += select(select(0.0, 1.0, value == weight), value, weight < 0.0);
          }
          sums[thread] = own;
          workgroupBarrier();
          // The thread in whose range the sum passes n; the last that has any where rounding leaves the sum short.
          var owner = 0u;
          var before = 0.0;
          var sum = 0.0;
          for (var i = 0u; i < THREADS; i++) {
            if (sums[i] > 0.0 && (sum <= n || sum == 0.0)) {
              owner = i;
              before = sum;
            }
            sum += sums[i];
          }
          if (thread == owner) {
            var id = begin;
            var reached = before;
            for (var i = begin; i < end; i++) {
              let value = weights[i];
              let amount = select(select(0.0, 1.0, value == weight), value, weight < 0.0);
              if (amount > 0.0 && (reached <= n || reached == before)) {
                id = i;
                reached += amount;
              }
            }
            found = id;
          }
          workgroupBarrier();
          return found;
        }

        fn total(thread : u32) -> f32 {
          var own = 0.0;
          for (var i = thread; i < VOCAB; i += THREADS) {
            own += weights[i];
          }
          sums[thread] = own;
          workgroupBarrier();
          var all = 0.0;
          for (var i = 0u; i < THREADS; i++) {
            all += sums[i];
          }
          workgroupBarrier();
          return all;
        }

        /** Sum of weights up to the border: all above it, and as many of its own weight as it takes to reach the value. */
        fn sumTo(border : Border, wanted : f32) -> f32 {
          return border.above + max(1.0, ceil((wanted - border.above) / border.weight)) * border.weight;
        }

        fn draw(thread : u32) -> u32 {
          var kept = 0.0;
          if (step.topK > 0u && step.topK < VOCAB) {
            let border = borderAt(thread, f32(step.topK), true, false);
            // Whatever lies above the border, weighed instead of counted.
            var own = 0.0;
            for (var i = thread; i < VOCAB; i += THREADS) {
              own += select(0.0, weights[i], weights[i] > border.weight);
            }
            sums[thread] = own;
            workgroupBarrier();
            for (var i = 0u; i < THREADS; i++) {
              kept += sums[i];
            }
            workgroupBarrier();
            kept += (f32(step.topK) - border.above) * border.weight;
          } else {
            kept = total(thread);
            if (step.topP >= 1.0) {
              return tokenAt(thread, -1.0, step.random * kept);
            }
          }
          if (step.topP < 1.0) {
            let wanted = kept * step.topP;
            kept = sumTo(borderAt(thread, wanted, false, false), wanted);
          }
          let drawn = step.random * kept;
          let border = borderAt(thread, drawn, false, true);
          return tokenAt(thread, border.weight, max(0.0, floor((drawn - border.above) / border.weight)));
        }

        fn main(group : u32, thread : u32) {
          var value = bitcast<f32>(0xff7fffffu);
          var id = ${NOT_A_NUMBER - 1}u;
          var broken = false;
          for (var i = 0u; i < ${chunks}u; i++) {
            broken = broken || best[i].y == ${NOT_A_NUMBER}u;
          }
          for (var i = thread; i < ${chunks}u; i += THREADS) {
            let candidate = bitcast<f32>(best[i].x);
            if (candidate > value || (candidate == value && best[i].y < id)) {
              value = candidate;
              id = best[i].y;
            }
          }
          let winner = bestOf(thread, value, id);
          var choice = ids[winner];
          if (step.temperature > 0.0) {
            choice = draw(thread);
          }
          if (thread == 0u) {
            picked[0] = select(choice, ${NOT_A_NUMBER}u, broken);
            if (!broken) {
              marks[choice / 32u] |= 1u << (choice % 32u);
            }
          }
        }
      `,
    },
  ];
}
