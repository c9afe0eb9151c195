/** Means and intervals over a few seeds. Held to scipy by `statistics.test.ts`. */
import { numbersFor } from '../../numbers/random.ts';

/** Quantile 0.975 of Student's t by degrees of freedom, 1–63: `scipy.stats.t.ppf(0.975, df)`. */
const T975 = [
  12.706204736174694, 4.302652729749462, 3.1824463052837078, 2.7764451051977934, 2.5705818356363146, 2.4469118511449786, 2.364624251592784,
  2.306004135204166, 2.262157162798205, 2.228138851986274, 2.200985160091639, 2.1788128296672284, 2.1603686564627913, 2.144786687917804,
  2.131449545559776, 2.1199052992212546, 2.1098155778333156, 2.1009220402410382, 2.0930240544083087, 2.085963447265864, 2.0796138447276795,
  2.0738730679040254, 2.0686576104190486, 2.0638985616280245, 2.0595385527532972, 2.0555294386428735, 2.0518305164802846,
  2.0484071417952454, 2.045229642132703, 2.0422724563012378, 2.039513446396408, 2.0369333434601016, 2.0345152974493383, 2.0322445093177186,
  2.030107928250343, 2.0280940009804502, 2.0261924630291093, 2.0243941639119694, 2.022690920036761, 2.021075390306273, 2.019540970441376,
  2.0180817028184443, 2.016692199227824, 2.0153675744437636, 2.014103388880846, 2.012895598919429, 2.0117405137297655, 2.010634757624232,
  2.0095752371292392, 2.008559112100761, 2.007583770315836, 2.006646805061688, 2.0057459953178687, 2.0048792881880564, 2.0040447832891455,
  2.003240718847872, 2.002465459291007, 2.0017174841452356, 2.000995378088267, 2.0002978220142604, 1.999623584994939, 1.9989715170333788,
  1.998340542520741,
];

export interface Interval {
  mean: number;
  low: number;
  high: number;
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Mean and 95 % interval of Student's t; of one value the interval is not known, and NaN. */
export function meanInterval(values: readonly number[]): Interval {
  const mean = meanOf(values);
  const t = T975[values.length - 2];
  if (t === undefined) return { mean, low: NaN, high: NaN };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  const half = t * Math.sqrt(variance / values.length);
  return { mean, low: mean - half, high: mean + half };
}

const DRAWS = 2000;

/**
 * Mean of all values and its 95 % percentile interval when questions are drawn anew, the same ones for every seed: what other
 * questions of the kind would have given, the seeds as they are.
 *
 * @param rows a row a seed, a column a question
 */
export function bootstrapInterval(rows: readonly (readonly number[])[], seed = 1): Interval {
  const questions = rows[0]!.length;
  // The mean over seeds of each question: a question is drawn for all seeds at once.
  const means = Array.from({ length: questions }, (_, q) => meanOf(rows.map((row) => row[q]!)));
  const random = numbersFor(seed, 0, questions);
  const drawn = Array.from({ length: DRAWS }, () => {
    let sum = 0;
    for (let i = 0; i < questions; i++) sum += means[Math.floor(random() * questions)]!;
    return sum / questions;
  }).sort((a, b) => a - b);
  return { mean: meanOf(means), low: quantile(drawn, 0.025), high: quantile(drawn, 0.975) };
}

/** As numpy's default: linear between neighbours. */
function quantile(sorted: readonly number[], q: number): number {
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const next = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return sorted[below]! + (place - below) * (next - sorted[below]!);
}
