/** Training runs of the goldens, for comparison with PyTorch's traces. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect } from 'vitest';
import { parseRecords } from '../../src/datasets/llava.ts';
import type { Device } from '../../src/device/types.ts';
import { Session } from '../../src/engine/chat/session.ts';
import { CHECKPOINT, train, type TrainOptions, type TrainResult, type TrainStep } from '../../src/engine/runs/train.ts';
import { MemoryFolder } from '../../src/files/memory-folder.ts';
import { readImageFile } from '../../src/headless/input-files.ts';
import { parseAdapter } from '../../src/nvlm/adapters/peft.ts';
import { parseRun, type RunConfig } from '../../src/training/run-config.ts';
import { openModelFolder } from '../../src/weights/model-folder.ts';
import { nodeFiles } from '../../src/weights/node-files.ts';
import { parseSafetensors, type LoadedTensor } from '../../src/weights/safetensors.ts';
import { goldenFolder } from './golden-files.ts';

export type Stage = 'pretrain' | 'sft' | 'lora';

/** A run folder in memory, looked into. */
export class RunOutput extends MemoryFolder {
  tensors(path: string): Map<string, LoadedTensor> {
    return parseSafetensors(this.files.get(path)!, path);
  }

  get checkpoint(): Map<string, LoadedTensor> {
    return this.tensors(CHECKPOINT);
  }
}

export interface RunOutcome {
  steps: TrainStep[];
  result: TrainResult;
  output: RunOutput;
}

/** Runs a golden's run file, with `changes` to it, as `nvlm train` does. */
export async function runGolden(
  name: string,
  stage: Stage,
  device: Device,
  changes: Partial<RunConfig> = {},
  {
    output = new RunOutput(),
    resume = false,
    extraRecords = [],
    ...options
  }: TrainOptions & {
    output?: RunOutput;
    resume?: boolean;
    /** Behind the golden's own. */
    extraRecords?: object[];
  } = {},
): Promise<RunOutcome> {
  const folder = goldenFolder(name);
  const file = join(folder, `${stage}.run.json`);
  const run = { ...parseRun(JSON.parse(await readFile(file, 'utf8')), file), ...changes };
  const data = resolve(folder, run.data);
  const modelFolder = await openModelFolder(nodeFiles(resolve(folder, run.model)));
  const session = await Session.open(modelFolder, device);
  try {
    const adapter = run.lora?.init ? await readAdapter(join(folder, run.lora.init)) : null;
    const steps: TrainStep[] = [];
    const result = await train(
      {
        model: session.model,
        folder: modelFolder,
        text: session.text!,
        device,
        run,
        data: parseRecords(JSON.stringify([...(JSON.parse(await readFile(data, 'utf8')) as object[]), ...extraRecords])),
        textData: null,
        blend: null,
        heldOut: null,
        readImage: (path) => readImageFile(resolve(data, '..', path)),
        adapter: adapter && parseAdapter(adapter.config, adapter.tensors, session.model.weights),
        output,
        resume,
      },
      {
        ...options,
        onStep: (step) => {
          steps.push(step);
          options.onStep?.(step);
        },
      },
    );
    return { steps, result, output };
  } finally {
    session.dispose();
  }
}

export async function readAdapter(folder: string): Promise<{ config: unknown; tensors: Map<string, LoadedTensor> }> {
  const file = join(folder, 'adapter_model.safetensors');
  return {
    config: JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8')) as unknown,
    tensors: parseSafetensors(await readFile(file), file),
  };
}

export async function goldenLog(name: string, stage: Stage): Promise<{ loss: number; lr: number; gradNorm: number }[]> {
  const text = await readFile(join(goldenFolder(name), `${stage}.log.jsonl`), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { loss: number; lr: number; gradNorm: number });
}

/** Holds every step of a run to PyTorch's: losses within a thousandth, gradient norms within a hundredth. */
export async function expectGoldenSteps(name: string, stage: Stage, steps: readonly TrainStep[]): Promise<void> {
  const expected = await goldenLog(name, stage);
  expect(steps.length).toBe(expected.length);
  steps.forEach(({ step, loss, lr, gradNorm }, i) => {
    const right = expected[i]!;
    expect(step).toBe(i);
    expect(Math.abs(lr / right.lr - 1), `lr of step ${step}`).toBeLessThan(1e-6);
    expect(Math.abs(loss / right.loss - 1), `loss of step ${step}`).toBeLessThan(1e-3);
    expect(Math.abs(gradNorm / right.gradNorm - 1), `gradient norm of step ${step}`).toBeLessThan(1e-2);
  });
}

/** The trained tensors after PyTorch's last step. */
export async function goldenFinal(name: string, stage: Stage): Promise<Map<string, LoadedTensor>> {
  const folder = goldenFolder(name);
  if (stage === 'lora') return (await readAdapter(join(folder, 'lora.final'))).tensors;
  const file = join(folder, `${stage}.final.safetensors`);
  return parseSafetensors(await readFile(file), file);
}
