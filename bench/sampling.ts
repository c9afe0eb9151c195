/**
 * Picking a token on the host from 151 936 logits (Qwen2.5's vocabulary), by every kind of setting; the last rows are of logits that
 * are nearly flat, where the most has to be sorted.
 *
 * `npx tsx bench/sampling.ts [RUNS]`
 */
import { Sampler, type Sampling } from '../src/nvlm/sampler.ts';
import { seededNumbers } from '../src/numbers/random.ts';
import { printReport } from './report.ts';

const [runs = '21'] = process.argv.slice(2);
const VOCABULARY = 151_936;
const WARM_UP = 3;

const SETTINGS: Record<string, Sampling> = {
  greedy: { temperature: 0 },
  'temperature 1': { temperature: 1 },
  'top-k 40': { temperature: 0.7, topK: 40 },
  'top-p 0.9': { temperature: 0.7, topP: 0.9 },
  'top-k 40, top-p 0.9, repetition penalty 1.1': { temperature: 0.7, topK: 40, topP: 0.9, repetitionPenalty: 1.1 },
};
/** Spreads of the logits: of a model that knows what comes next, and of one that does not. */
const SPREADS = { peaked: 4, flat: 0.05 };

const random = seededNumbers(1);
const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const seen = Array.from({ length: 1000 }, () => Math.floor(random() * VOCABULARY));

printReport(
  ...Object.entries(SPREADS).flatMap(([spread, deviation]) => {
    const logits = Float32Array.from({ length: VOCABULARY }, () => deviation * normal());
    return Object.entries(SETTINGS).map(([name, sampling]) => {
      const sampler = new Sampler({ ...sampling, seed: 1 }, []);
      const samples: number[] = [];
      for (let run = -WARM_UP; run < Number(runs); run++) {
        const copy = logits.slice();
        const start = process.cpuUsage();
        sampler.next(copy, seen);
        const { user, system } = process.cpuUsage(start);
        if (run >= 0) samples.push((user + system) / 1000);
      }
      return {
        name: `sampling from ${VOCABULARY} ${spread} logits, ${name}: processor time`,
        unit: 'ms a token',
        samples,
        adapter: null,
        backend: 'cpu' as const,
      };
    });
  }),
);
