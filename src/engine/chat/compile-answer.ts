import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { compileAhead } from '../../device/compile-ahead.ts';
import { releaseUnused } from '../../device/tensor-memory.ts';
import type { NvlmConfig } from '../../nvlm/config.ts';
import { RecordedDecoder } from '../../nvlm/recorded-decoder.ts';
import { compileCommands, type Command } from '../../ops/recorded/command-list.ts';
import type { TokenPlan } from '../../text/types.ts';
import type { Tiling } from '../../tiling/types.ts';
import type { Session } from './session.ts';
import { planConversation, type TextSide } from './text-side.ts';
import { pixelsOf, tilePicture } from './tile-picture.ts';

/**
 * Compiles what an answer about a picture takes on WebGPU, of vision encoder, prefill and recorded step, so that the first question
 * waits for none of it. A blank picture of one tile and a short question go the way of a real one, and nothing of it is computed.
 */
export async function compileAnswer({ model, text, config }: Session): Promise<void> {
  if (tf.getBackend() !== 'webgpu' || !text || !model.weights.stays) return;
  const blank = config.vision && blankPicture(config, config.vision.imageSize);
  const plan = shortQuestion(text, blank);
  if (!plan) return;
  const cache = model.newCache(1);
  let commands: Command[] = [];
  const programs = compileAhead(() =>
    tf.tidy(() => {
      const features = blank && model.imageFeatures(pixelsOf(blank, config), blank.tiles.length);
      model.prefill([{ plan, features }], cache, 'last');
      commands = RecordedDecoder.commands(model, cache, plan.inputIds.length + 1);
    }),
  );
  try {
    await Promise.all([programs, compileCommands((tf.backend() as WebGPUBackend).device, commands)]);
  } finally {
    cache.dispose();
    releaseUnused();
  }
}

function blankPicture(config: NvlmConfig, side: number): Tiling {
  return tilePicture({ width: side, height: side, data: new Uint8Array(3 * side * side) }, config, 1);
}

/** null where the chat template cannot say it: a question will say why. */
function shortQuestion(text: TextSide, picture: Tiling | null): TokenPlan | null {
  try {
    return planConversation(text, [{ role: 'user', content: 'What is in the picture?' }], picture ? [picture] : [], true);
  } catch {
    return null;
  }
}
