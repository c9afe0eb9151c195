// Makes ../glyphs.ts: the outlines of A–Z, 0–9 and '.' of the open fonts below, so that the page, a worker and Node draw
// the same pixels without a font engine. Run `npm ci && npm run make` here; the result is committed.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import opentype from 'opentype.js';

const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.';
const UNITS = 1024; // em square of the stored outlines: half a unit is 0.013 px at the largest size drawn (27 px)

const fontsource = (family, ...weights) =>
  weights.map((weight) => [`${family}-${weight}`, `@fontsource/${family}/files/${family}-latin-${weight}-normal.woff`]);

const FONTS = [
  ...['Sans', 'Sans-Bold', 'SansMono', 'SansMono-Bold', 'Serif', 'Serif-Bold', 'SansCondensed'].map((face) => [
    `dejavu-${face.toLowerCase()}`,
    `dejavu-fonts-ttf/ttf/DejaVu${face}.ttf`,
  ]),
  ...fontsource('arimo', 400, 700), // metric and design twins of Liberation Sans, Mono and Serif
  ...fontsource('cousine', 400, 700),
  ...fontsource('tinos', 400, 700),
  ...fontsource('inter', 400, 500, 700),
  ...fontsource('lato', 400, 700),
  ...fontsource('noto-mono', 400),
  ...fontsource('noto-sans-mono', 700),
  ...fontsource('open-sans', 400, 600, 700),
  ...fontsource('quicksand', 500, 700),
  ...fontsource('roboto', 400, 500, 700),
  ...fontsource('roboto-condensed', 400, 700),
];

/** One glyph as text: advance, then per command its letter (M L Q C Z) and absolute whole coordinates, y up. */
function outline(glyph, scale) {
  const n = (v) => Math.round(v * scale);
  let text = String(n(glyph.advanceWidth));
  // glyph.path is in font units with y up; getPath would flip it.
  for (const c of glyph.path.commands) {
    if (c.type === 'Z') text += 'Z';
    else if (c.type === 'C') text += `C${[c.x1, c.y1, c.x2, c.y2, c.x, c.y].map(n).join(' ')}`;
    else if (c.type === 'Q') text += `Q${[c.x1, c.y1, c.x, c.y].map(n).join(' ')}`;
    else text += `${c.type}${n(c.x)} ${n(c.y)}`;
  }
  return text;
}

const fonts = FONTS.map(([id, file]) => {
  const bytes = readFileSync(fileURLToPath(new URL(`node_modules/${file}`, import.meta.url)));
  const font = opentype.parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const scale = UNITS / font.unitsPerEm;
  return { id, glyphs: [...CHARACTERS].map((ch) => outline(font.charToGlyph(ch), scale)) };
});

const rows = fonts.map(
  (f) => `  {\n    id: '${f.id}',\n    glyphs: [\n${f.glyphs.map((g) => `      '${g}',`).join('\n')}\n    ],\n  },`,
);
writeFileSync(
  fileURLToPath(new URL('../glyphs.ts', import.meta.url)),
  `// Made by fonts/make-glyphs.mjs from the fonts named in fonts/LICENSE.md: do not edit.

/** Outlines of one font: per character of \`CHARACTERS\` its advance and path, absolute units of 1/${UNITS} em, y up. */
export interface FontOutlines {
  id: string;
  glyphs: readonly string[];
}

export const UNITS_PER_EM = ${UNITS};

export const FONT_OUTLINES: readonly FontOutlines[] = [
${rows.join('\n')}
];
`,
);
