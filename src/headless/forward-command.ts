import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { NvlmError } from '../errors.ts';
import { parseSafetensors, writeSafetensors, type TensorData } from '../weights/safetensors.ts';
import { withAdapterOption, type AdapterOptions } from './adapter-folder.ts';
import { required, withCommonOptions, type CommonOptions, type Context, type Run } from './command.ts';
import { readInput } from './input-files.ts';
import { MODEL_HELP } from './model-source.ts';
import { withOffloadOptions, type OffloadFlags } from './offload-option.ts';
import { deviceName } from './open-engine.ts';
import { openSession } from './open-session.ts';
import { withQuantizeOptions, type QuantizeOptions } from './quantize-option.ts';

interface ForwardOptions extends CommonOptions, QuantizeOptions, OffloadFlags, AdapterOptions {
  model?: string;
  inputs?: string;
  output?: string;
}

/** 64 tiles of 448 pixels are 154 MB. */
const MOST_INPUT_BYTES = 2 ** 30;

export function addForward(program: Command, run: Run): void {
  const command = withCommonOptions(
    program
      .command('forward')
      .description('One forward pass on token ids and pixel values: logits, and image features after the connector.')
      .option('--model <model>', `required: ${MODEL_HELP}`)
      .option('--inputs <file>', 'required: safetensors with input_ids, and pixel_values, cross_mask, tag_ids where they apply')
      .option('--output <file>', 'required: safetensors to write: logits, image_features'),
  );
  withOffloadOptions(withQuantizeOptions(withAdapterOption(command))).action((options: ForwardOptions) =>
    run(options, (context) => forwardOnce(options, context)),
  );
}

async function forwardOnce(options: ForwardOptions, context: Context) {
  const model = required(options.model, '--model');
  const inputs = required(options.inputs, '--inputs');
  const output = required(options.output, '--output');
  const { signal } = context;
  const tensors = parseSafetensors(await readInput(inputs, MOST_INPUT_BYTES), inputs);
  const { session, device } = await openSession(model, options, context);
  const { forward } = await import('../engine/measure/forward.ts');
  const start = performance.now();
  const outputs = await forward(session.model, device, tensors, { signal });
  const ms = performance.now() - start;
  refuseNaN(outputs);
  await mkdir(dirname(output), { recursive: true });
  await writeFile(output, writeSafetensors(outputs));

  const tokens = outputs.find(({ name }) => name === 'logits')?.shape[0] ?? 0;
  const written = outputs.map(({ name, shape }) => `${name} [${shape.join(', ')}]`).join(', ');
  return {
    document: { tokens, backend: device.info.backend, adapter: device.info.adapter, ms },
    text: `${tokens} tokens in ${ms.toFixed(0)} ms on ${deviceName(device.info)}; wrote ${written} to ${output}`,
  };
}

/** Weights and inputs may be finite and still overflow on the way. */
function refuseNaN(outputs: readonly TensorData[]): void {
  const broken = outputs.find(({ data }) => (data as Float32Array).some((value) => !Number.isFinite(value)));
  if (!broken) return;
  throw new NvlmError(
    'not-a-number',
    `${broken.name} holds values that are not numbers.`,
    'Check pixel_values and the weights; with good ones, try another backend and report this.',
  );
}
