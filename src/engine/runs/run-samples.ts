import * as tf from '@tensorflow/tfjs';
import { questionsOf, type DataQuestion } from '../../datasets/questions.ts';
import type { DatasetRecord } from '../../datasets/types.ts';
import type { Device } from '../../device/types.ts';
import { generate } from '../../nvlm/generate.ts';
import type { NvlmModel } from '../../nvlm/model.ts';
import { Sampler } from '../../nvlm/sampler.ts';
import type { TokenPlan } from '../../text/types.ts';
import type { Trainer } from '../../training/trainer.ts';
import { NvlmError, throwIfAborted } from '../../errors.ts';
import type { CallOptions } from '../api.ts';
import { tileForModel, type ReadImage } from './plan-examples.ts';
import { planConversation, type TextSide } from '../chat/text-side.ts';
import type { TrainingImages } from './train-data.ts';
import type { RunSample } from './training-api.ts';
import { yieldToEventLoop } from '../yield.ts';

/** Answers are to be read beside each other: longer ones are cut. */
const MAX_NEW_TOKENS = 96;

/** A held-out question, ready to be asked. */
export interface SampleQuestion {
  question: DataQuestion;
  plan: TokenPlan;
}

/** The first question of each record. Records that cannot be asked are left out: the run's problems name them. */
export async function planQuestions(
  text: TextSide,
  records: readonly DatasetRecord[],
  readImage: ReadImage,
  maxTiles: number | null,
): Promise<SampleQuestion[]> {
  const questions: SampleQuestion[] = [];
  for (const record of records) {
    const [question] = questionsOf(record);
    if (!question) continue;
    const { image, messages } = question;
    try {
      const tiling = image === null ? null : await tileForModel(text, await readImage(image), maxTiles);
      questions.push({ question, plan: planConversation(text, messages, tiling ? [tiling] : [], true) });
    } catch (error) {
      if (!(error instanceof NvlmError)) throw error;
    }
  }
  return questions;
}

/** The model's answers as it is now, greedily, one by one. */
export async function* answerQuestions(
  questions: readonly SampleQuestion[],
  step: number,
  {
    model,
    text,
    trainer,
    images,
    device,
    stopIds,
  }: {
    model: NvlmModel;
    text: TextSide;
    trainer: Trainer;
    images: TrainingImages;
    device: Device;
    stopIds: ReadonlySet<number>;
  },
  { signal }: CallOptions,
): AsyncGenerator<RunSample> {
  for (const { question, plan } of questions) {
    throwIfAborted(signal);
    const image = question.image === null ? null : await images.get(question.image, signal);
    const features = image && tf.tidy(() => trainer.featuresOf(image).clone());
    const cache = model.newCache(1);
    const ids: number[] = [];
    try {
      const tokens = generate(model, { plan, features }, cache, {
        sampler: new Sampler({ temperature: 0 }, text.imageTokenId === null ? [] : [text.imageTokenId]),
        stopIds,
        maxNewTokens: Math.min(MAX_NEW_TOKENS, text.config.llm.maxPositions - plan.inputIds.length),
        device,
        yieldToEventLoop,
        signal,
      });
      for await (const id of tokens) ids.push(id);
    } finally {
      features?.dispose();
      cache.dispose();
      images.trim();
    }
    yield {
      step,
      record: question.id,
      question: question.messages.at(-1)!.content,
      picture: question.image,
      expected: question.answer,
      answer: text.tokenizer.decode(ids, { skipSpecialTokens: true }),
    };
  }
}
