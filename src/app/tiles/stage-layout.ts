/** A rectangle in CSS pixels of the stage. */
export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface StageInput {
  width: number;
  height: number;
  image: { width: number; height: number };
  cols: number;
  rows: number;
  /** Is there a thumbnail beside the regular tiles? */
  thumbnail: boolean;
  /** Letters of the longest tag below a regular tile. */
  letters: number;
  /** 0 own proportions, 1 squashed onto the canvas, 2 pulled apart; anything between. */
  pull: number;
}

export interface StageLayout {
  /** The whole picture, before it is cut. */
  picture: Rect;
  /** Row-major; the thumbnail last when there is one. */
  tiles: Rect[];
  /** Side of a tile when pulled apart. */
  tileSide: number;
  /** Are the tiles large enough to write their tags below them? */
  captions: boolean;
}

/** Room under each pulled-apart tile for its tag: of one line, and for each line more. */
const CAPTION = 18;
const CAPTION_LINE = 15;
/** Of a tag's monospaced letters. */
const LETTER = 6.7;
const CAPTION_LINES = 3;
const SMALLEST_CAPTIONED = 64;
const LARGEST_GAP = 10;
const MARGIN = 12;

/** Where picture, tiles and thumbnail stand at a point of the way from picture to tiles. */
export function stageLayout(input: StageInput): StageLayout {
  const { image, cols, rows, pull } = input;
  const width = input.width - 2 * MARGIN;
  const height = input.height - 2 * MARGIN;
  const squash = clamp01(pull);
  const apart = clamp01(pull - 1);
  const own = fit(width, height, image.width / image.height);
  const canvas = fit(width, height, cols / rows);
  const picture = mix(own, canvas, squash);
  const pulled = pulledApart({ ...input, width, height });
  const tiles = pulled.tiles.map((end, index) => {
    const start = index < cols * rows ? cell(picture, cols, rows, index) : shrunk(end);
    return inset(mix(start, end, apart));
  });
  return { picture: inset(picture), tiles, tileSide: pulled.side, captions: pulled.captions };
}

/** Largest rectangle of that aspect (width / height) in the middle of the stage; at least a pixel thick. */
function fit(width: number, height: number, aspect: number): Rect {
  const w = Math.max(1, Math.min(width, height * aspect));
  const h = Math.max(1, Math.min(height, width / aspect));
  return { x: (width - w) / 2, y: (height - h) / 2, width: w, height: h };
}

function cell(whole: Rect, cols: number, rows: number, index: number): Rect {
  const width = whole.width / cols;
  const height = whole.height / rows;
  return { x: whole.x + (index % cols) * width, y: whole.y + Math.floor(index / cols) * height, width, height };
}

/** Tiles as squares with gaps; the thumbnail right of them or below, whichever leaves the squares larger. */
function pulledApart(input: StageInput): { tiles: Rect[]; side: number; captions: boolean } {
  for (let lines = 1; lines <= CAPTION_LINES; lines++) {
    const roomy = squares(input, CAPTION + (lines - 1) * CAPTION_LINE);
    const fits = Math.floor(roomy.side / LETTER) * lines >= input.letters;
    if (fits && roomy.side >= SMALLEST_CAPTIONED) return { ...roomy, captions: true };
  }
  return { ...squares(input, 0), captions: false };
}

function squares({ width, height, cols, rows, thumbnail }: StageInput, caption: number): { tiles: Rect[]; side: number } {
  const gap = Math.min(LARGEST_GAP, width / cols / 6, height / rows / 6);
  const besideCols = (width - gap * (cols + 1)) / (cols + 1);
  const beside = Math.min(besideCols, (height + gap) / rows - caption - gap);
  const below = Math.min((width + gap) / cols - gap, (height - gap) / (rows + 1) - caption - gap);
  const alone = Math.min((width + gap) / cols - gap, (height + gap) / rows - caption - gap);
  const right = beside >= below;
  const side = Math.max(1, !thumbnail ? alone : right ? beside : below);
  const totalWidth = cols * (side + gap) - gap + (thumbnail && right ? gap * 2 + side : 0);
  const totalHeight = rows * (side + caption + gap) - gap + (thumbnail && !right ? gap * 2 + side + caption : 0);
  const left = (width - totalWidth) / 2;
  const top = (height - totalHeight) / 2;
  const tiles = Array.from({ length: cols * rows }, (_, index) => ({
    x: left + (index % cols) * (side + gap),
    y: top + Math.floor(index / cols) * (side + caption + gap),
    width: side,
    height: side,
  }));
  if (thumbnail && right) tiles.push({ x: left + totalWidth - side, y: (height - side - caption) / 2, width: side, height: side });
  if (thumbnail && !right) tiles.push({ x: (width - side) / 2, y: top + totalHeight - side - caption, width: side, height: side });
  return { tiles, side };
}

function inset(rect: Rect): Rect {
  return { ...rect, x: rect.x + MARGIN, y: rect.y + MARGIN };
}

function shrunk(rect: Rect): Rect {
  const { x, y, width, height } = rect;
  return { x: x + width * 0.2, y: y + height * 0.2, width: width * 0.6, height: height * 0.6 };
}

function mix(a: Rect, b: Rect, t: number): Rect {
  return {
    x: a.x + (b.x - a.x) * t,
    y: a.y + (b.y - a.y) * t,
    width: a.width + (b.width - a.width) * t,
    height: a.height + (b.height - a.height) * t,
  };
}

function clamp01(value: number): number {
  return Math.min(1, Math.max(0, value));
}
