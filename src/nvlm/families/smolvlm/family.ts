import { unrolled } from '../../../text/image-layout.ts';
import type { Normalisation } from '../../../tiling/pixel-values.ts';
import type { VisionConfig } from '../../config.ts';
import { JsonReader } from '../../json-reader.ts';
import { LARGEST_WIDTH, parseLlm } from '../../llm-config.ts';
import { imageTokenId } from '../../nested-config.ts';
import { siglipParameters } from '../../vision/siglip-parameters.ts';
import type { Family } from '../family.ts';
import { smolvlmLayout } from './layout.ts';
import { smolvlmNaming } from './names.ts';
import { smolvlmShapes } from './synthetic.ts';
import { edgeTiler } from './tiler.ts';

const MODEL_TYPES = ['idefics3', 'smolvlm'];

/** SmolVLM and SmolVLM2 (Marafioti et al. 2025), and other Idefics3 models with a Llama decoder and square tiles. */
export const smolvlm: Family = {
  id: 'smolvlm',
  title: 'SmolVLM',
  words: 'Decoder only: all tiles unrolled into the sequence row by row, each behind its row and column, the whole picture last.',
  modelTypes: MODEL_TYPES,
  recognises: (config) => config.has('text_config') && MODEL_TYPES.includes(config.string('model_type', '')),
  parse(config, processor) {
    const llm = parseLlm(config.object('text_config'), config.boolean('tie_word_embeddings', false));
    const vision = parseVision(config.object('vision_config'));
    const shuffle = config.integer('scale_factor', 2, 1, 16);
    const grid = vision.imageSize / vision.patchSize;
    // Positions are found by fractions of the side, which only such grids leave exact.
    if (!Number.isInteger(Math.log2(grid)) || grid % shuffle !== 0) {
      throw config.error('vision_config', `has ${grid} patches a side; only powers of two that scale_factor divides are supported`);
    }
    return {
      vision,
      llm,
      projector: { hiddenSize: llm.hiddenSize, bias: false },
      crossAttentionEvery: 1,
      tileSize: vision.imageSize,
      useThumbnail: true,
      tagFormat: 'row-col',
      layout: smolvlmLayout,
      shuffle,
      pixelShuffle: 'v2',
      imageTokenId: imageTokenId(config, llm),
      systemMessage: null,
      chatTemplate: null,
      ...parseProcessor(processor ?? JsonReader.open({}, 'preprocessor_config.json'), vision, shuffle),
    };
  },
  routing: unrolled,
  crossAttends: false,
  imageTokens: ['<image>'],
  visionParameters: (config) => siglipParameters(config),
  network: async () => (await import('../../vision/siglip.ts')).siglipNetwork(),
  namings: [smolvlmNaming],
  synthetic: smolvlmShapes,
};

/** By the keys of `Idefics3VisionConfig`, whose defaults count where the file is silent. */
function parseVision(vision: JsonReader): VisionConfig {
  const hiddenSize = vision.integer('hidden_size', 1152, 1, LARGEST_WIDTH);
  const heads = vision.integer('num_attention_heads', 16, 1, 1024);
  if (hiddenSize % heads !== 0) throw vision.error('num_attention_heads', `${heads} does not divide hidden_size ${hiddenSize}`);
  vision.oneOf('hidden_act', ['gelu_pytorch_tanh'] as const, 'gelu_pytorch_tanh');
  const imageSize = vision.integer('image_size', 224, 28, 4096);
  const patchSize = vision.integer('patch_size', 32, 1, 256);
  if (imageSize % patchSize !== 0) throw vision.error('image_size', `${imageSize} is not a multiple of patch_size ${patchSize}`);
  return {
    hiddenSize,
    heads,
    layers: vision.integer('num_hidden_layers', 12, 1, 512),
    intermediateSize: vision.integer('intermediate_size', 3072, 1, LARGEST_WIDTH),
    imageSize,
    patchSize,
    extraRows: 0,
    qkvBias: true,
    qkNormalization: false,
    normType: 'layer_norm',
    normEps: vision.number('layer_norm_eps', 1e-6, 0, 1),
  };
}

/** By the keys of `Idefics3ImageProcessor`; without a file, what all published SmolVLMs say. */
function parseProcessor(processor: JsonReader, { imageSize, patchSize }: VisionConfig, shuffle: number) {
  const sized = (key: string, fallback: number) =>
    processor.has(key) ? processor.object(key).integer('longest_edge', fallback, 28, 1 << 16) : fallback;
  const tileSize = sized('max_image_size', imageSize);
  if (tileSize !== imageSize) throw processor.error('max_image_size', `is ${tileSize}, and the vision encoder reads tiles of ${imageSize}`);
  const longestEdge = sized('size', 4 * imageSize);
  const resample = processor.integer('resample', 1, 0, 5);
  if (resample !== 1 && resample !== 3) throw processor.error('resample', `is ${resample}; only 1 (Lanczos) and 3 (bicubic) are supported`);
  for (const key of ['do_resize', 'do_rescale', 'do_normalize']) {
    if (!processor.boolean(key, true)) throw processor.error(key, 'is false, and this engine always does it');
  }
  const normalisation: Normalisation = {
    mean: processor.triple('image_mean', [0.5, 0.5, 0.5], -10, 10),
    std: processor.triple('image_std', [0.5, 0.5, 0.5], 1e-6, 10),
  };
  const split = processor.boolean('do_image_splitting', true);
  const filter = resample === 1 ? ('lanczos' as const) : ('bicubic' as const);
  const tiler = edgeTiler({ longestEdge, split, filter, tileSize, tileStep: shuffle * patchSize });
  return { tiler, maxTiles: tiler.mostTiles, normalisation };
}
