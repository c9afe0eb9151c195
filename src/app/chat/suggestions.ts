import type { SharedImage } from '../state/image-slice.ts';

/** Questions the models were made with, for a picture that nobody knows. */
const FOR_ANY_PICTURE = ['What kind of picture is this?', 'Read everything.', 'Describe the image.'];
const FOR_NO_PICTURE = ['What can you do?', 'What is 4 + 3?', 'Write HELLO backwards.', 'What is a tile tag?'];

const MOST = 6;

/** One-tap questions, those already asked left out. */
export function suggestionsFor(image: SharedImage | null, asked: readonly string[] = []): string[] {
  const known =
    image === null ? FOR_NO_PICTURE : image.suggestedQuestions.length > 0 ? image.suggestedQuestions : FOR_ANY_PICTURE;
  return known.filter((question) => !asked.includes(question)).slice(0, MOST);
}
