import type { SharedImage } from '../state/image-slice.ts';

/** Questions the models were made with, for a picture that nobody knows. */
const FOR_ANY_PICTURE = ['What kind of picture is this?', 'Read everything.', 'Describe the image.'];
const FOR_NO_PICTURE = ['What can you do?', 'What is 4 + 3?', 'Write HELLO backwards.', 'What is a tile tag?'];

const MOST = 6;

/** For models that were not made for the drawn world. */
const FOR_OWN_MODEL = {
  picture: ['What is in this picture?', 'Read all the text in the picture.', 'Describe the picture in detail.'],
  text: ['Who are you, and what can you do?', 'Explain in two sentences how a rainbow forms.', 'Write a short poem about the sea.'],
};

/** One-tap questions, those already asked left out. */
export function suggestionsFor(
  image: SharedImage | null,
  asked: readonly string[] = [],
  model: { bundled: boolean; takesPictures: boolean } = { bundled: true, takesPictures: true },
): string[] {
  if (!model.bundled) {
    const own = image && model.takesPictures ? FOR_OWN_MODEL.picture : FOR_OWN_MODEL.text;
    return own.filter((question) => !asked.includes(question));
  }
  const known = image === null ? FOR_NO_PICTURE : image.suggestedQuestions.length > 0 ? image.suggestedQuestions : FOR_ANY_PICTURE;
  return known.filter((question) => !asked.includes(question)).slice(0, MOST);
}
