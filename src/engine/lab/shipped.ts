import dataQuality from '../../../experiments/data-quality.json' with { type: 'json' };
import equalScale from '../../../experiments/equal-scale.json' with { type: 'json' };
import frozenDecoder from '../../../experiments/frozen-decoder.json' with { type: 'json' };
import textStability from '../../../experiments/text-stability.json' with { type: 'json' };
import tileTags from '../../../experiments/tile-tags.json' with { type: 'json' };
import { parseExperiment, type Experiment } from './experiment.ts';

/** The experiments of the repository, in the order in which they are offered. */
export function shippedExperiments(): Experiment[] {
  return [textStability, equalScale, tileTags, frozenDecoder, dataQuality].map((json) => parseExperiment(json, json.name));
}
