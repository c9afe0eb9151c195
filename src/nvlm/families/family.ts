import type { Tensor3D } from '@tensorflow/tfjs';
import type { TileRouting } from '../../text/image-layout.ts';
import type { NvlmConfig } from '../config.ts';
import type { JsonReader } from '../json-reader.ts';
import type { Naming } from '../naming.ts';
import type { ParameterSpec } from '../parameter-list.ts';
import type { SyntheticShape } from '../synthetic-shape.ts';
import type { Weights } from '../weights.ts';

/**
 * A model family: all that the engine, training, export, plans, the inspector and the page know of it. Adding one is a folder beside
 * this file and a line in `list.ts`; nobody else asks for a family by its name.
 */
export interface Family {
  /** What records and documents call it. */
  id: string;
  title: string;
  /** Where the tokens of a picture go: a sentence for people. */
  words: string;
  /** Short name of its row where architectures are compared on one picture; families without one are not. */
  letter?: string;
  /** Which rows see which tile through cross-attention: a sentence for people. */
  maskWords?: string;

  /** `model_type`s of the config.json files that it reads, as the hub lists them. */
  modelTypes: readonly string[];
  /** Is this config.json one of its own? */
  recognises(config: JsonReader): boolean;
  /**
   * @param config config.json, one that it recognises
   * @param processor the image processor's file, where the folder has one
   * @throws NvlmError `bad-model`, `unsupported-model`
   */
  parse(config: JsonReader, processor: JsonReader | null): Omit<NvlmConfig, 'family'>;

  /** Why a conversation has one picture alone: a sentence for people. Absent where its template takes several. */
  onePicture?: string;

  /** Which way each tile takes to the decoder. */
  routing: TileRouting;
  /** The decoder has layers of gated cross-attention. */
  crossAttends: boolean;
  /** Tokens that stand for a visual token where config.json names none, the likeliest first. */
  imageTokens: readonly string[];

  /** The tensors of vision encoder and connector, in the order of the forward pass. `dummyHeads`: see `visionDummyHeads`. */
  visionParameters(config: NvlmConfig, dummyHeads: number): ParameterSpec[];
  /** What computes with them, loaded with the first model; null for text models. */
  network: (() => Promise<VisionNetwork>) | null;
  /** How its checkpoints name tensors; the last is taken when none of the others fits. */
  namings: readonly [Naming, ...Naming[]];

  /** Published models that a checkpoint of random weights can be made like, by name. */
  synthetic: Readonly<Record<string, SyntheticShape>>;
}

/** Vision encoder and connector. */
export interface VisionNetwork {
  /**
   * @param pixels [tiles, 3, S, S] f32, normalised, in sequence order
   * @returns [tiles, (S/patch)², visionWidth]
   */
  encode(pixels: Float32Array, tiles: number, config: NvlmConfig, weights: Weights): Tensor3D;
  /**
   * Pixel shuffle and connector.
   * @param encoded from `encode` @returns [tiles, tokensPerTile, decoderWidth]
   */
  connect(encoded: Tensor3D, config: NvlmConfig, weights: Weights): Tensor3D;
}
