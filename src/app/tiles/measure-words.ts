export const WORD_FONT_SIZE = 11;
export const WORD_PADDING = 5;

let measuring: CanvasRenderingContext2D | null = null;

/** Width of a token's word with its padding, in CSS pixels. */
export function measureWords(font: string): (shown: string) => number {
  measuring ??= document.createElement('canvas').getContext('2d')!;
  const context = measuring;
  context.font = `${WORD_FONT_SIZE}px ${font}`;
  return (shown) => context.measureText(shown).width + 2 * WORD_PADDING;
}
