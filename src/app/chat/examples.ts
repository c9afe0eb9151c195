import type { DeskExample } from '../../desk/examples.ts';
import type { ImageOffer } from '../state/image-slice.ts';
import { knownAnswers, pictureToPng } from './picture-file.ts';

/** Shown to whoever opens the page for the first time: there is something to ask about at once. */
export const FIRST_EXAMPLE = 'platform';

let loaded: Promise<DeskExample[]> | null = null;

/** The glyph outlines of the desk are large, so the desk comes after the page. */
export function loadExamples(): Promise<DeskExample[]> {
  loaded ??= import('../../desk/examples.ts').then(({ deskExamples }) => deskExamples());
  return loaded;
}

export async function exampleOffer(example: DeskExample): Promise<ImageOffer> {
  return {
    name: example.title,
    description: example.description,
    bytes: await pictureToPng(example.draw()),
    origin: { kind: 'example', id: example.id },
    suggestedQuestions: example.questions.map(({ question }) => question),
    knownAnswers: knownAnswers(example.questions),
  };
}
