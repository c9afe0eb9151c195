import type { Picture } from '../../desk/draw.ts';
import type { Question } from '../../desk/scene.ts';

/** Draws a picture of the desk on a canvas of its size. */
export function paintPicture(canvas: HTMLCanvasElement, picture: Picture): void {
  canvas.width = picture.width;
  canvas.height = picture.height;
  const pixels = new ImageData(picture.width, picture.height);
  for (let from = 0, to = 0; from < picture.data.length; from += 3, to += 4) {
    pixels.data[to] = picture.data[from]!;
    pixels.data[to + 1] = picture.data[from + 1]!;
    pixels.data[to + 2] = picture.data[from + 2]!;
    pixels.data[to + 3] = 255;
  }
  canvas.getContext('2d')!.putImageData(pixels, 0, 0);
}

/** A PNG file of it, so that a drawn picture takes the same way as any other. */
export async function pictureToPng(picture: Picture): Promise<Uint8Array> {
  const canvas = document.createElement('canvas');
  paintPicture(canvas, picture);
  const file = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (!file) throw new Error('The browser could not encode the picture as PNG.');
  return new Uint8Array(await file.arrayBuffer());
}

/** What the picture really shows, by question. */
export function knownAnswers(questions: readonly Question[]): Record<string, string> {
  return Object.fromEntries(questions.map(({ question, answer }) => [question, answer]));
}
