import type { ExampleCard } from '../../../workers/desk-pictures.ts';
import type { Pictures } from '../pictures-client.ts';
import type { ImageOffer } from '../state/image-slice.ts';

/** Shown to whoever opens the page for the first time: there is something to ask about at once. */
export const FIRST_EXAMPLE = 'platform';

export async function exampleOffer(pictures: Pictures, card: ExampleCard): Promise<ImageOffer> {
  const { id, title, description, suggestedQuestions, knownAnswers } = card;
  const bytes = await pictures.exampleFile(id);
  return { name: title, description, bytes, origin: { kind: 'example', id }, suggestedQuestions, knownAnswers };
}
