/** Outlines to anti-aliased masks. Only + − × ÷ on doubles, so every engine gives the same bytes. */

/** Closed polygon as x, y, x, y …; the last point joins the first. */
export type Contour = readonly number[];

/** Where an outline's origin goes, in pixels, and pixels a unit. */
export interface Placement {
  x: number;
  y: number;
  scaleX: number;
  scaleY: number;
}

const QUADRATIC_PARTS = 8;
const CUBIC_PARTS = 12;

/**
 * Reads the text form of `glyphs.ts` (M, L, Q, C and Z with absolute coordinates), curves cut into straight parts.
 * A point (x, y) lands at (to.x + x · scaleX, to.y − y · scaleY): y up becomes y down.
 */
export function readOutline(path: string, to: Placement): Contour[] {
  const contours: number[][] = [];
  let current: number[] = [];
  let [x, y] = [0, 0];
  for (const [, command, text] of path.matchAll(/([MLQCZ])([^MLQCZ]*)/g)) {
    const p = (text ?? '').split(' ').map((n, i) => (i % 2 === 0 ? to.x + Number(n) * to.scaleX : to.y - Number(n) * to.scaleY));
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0, x3 = 0, y3 = 0] = p;
    if (command === 'M') {
      current = [x1, y1];
      contours.push(current);
      [x, y] = [x1, y1];
    } else if (command === 'L') {
      current.push(x1, y1);
      [x, y] = [x1, y1];
    } else if (command === 'Q') {
      addQuadratic(current, x, y, x1, y1, x2, y2);
      [x, y] = [x2, y2];
    } else if (command === 'C') {
      addCubic(current, [x, y, x1, y1, x2, y2, x3, y3]);
      [x, y] = [x3, y3];
    }
  }
  return contours;
}

/** A circle as four cubic curves (0.03 % off), which needs no sine. */
export function circleContour(cx: number, cy: number, r: number): Contour {
  const k = 0.5522847498 * r;
  const contour: number[] = [cx, cy - r];
  addCubic(contour, [cx, cy - r, cx + k, cy - r, cx + r, cy - k, cx + r, cy]);
  addCubic(contour, [cx + r, cy, cx + r, cy + k, cx + k, cy + r, cx, cy + r]);
  addCubic(contour, [cx, cy + r, cx - k, cy + r, cx - r, cy + k, cx - r, cy]);
  addCubic(contour, [cx - r, cy, cx - r, cy - k, cx - k, cy - r, cx, cy - r]);
  return contour;
}

function addQuadratic(out: number[], x0: number, y0: number, x1: number, y1: number, x2: number, y2: number): void {
  for (let i = 1; i <= QUADRATIC_PARTS; i++) {
    const t = i / QUADRATIC_PARTS;
    const [a, b, c] = [(1 - t) * (1 - t), 2 * t * (1 - t), t * t];
    out.push(a * x0 + b * x1 + c * x2, a * y0 + b * y1 + c * y2);
  }
}

type EightNumbers = [number, number, number, number, number, number, number, number];

function addCubic(out: number[], [x0, y0, x1, y1, x2, y2, x3, y3]: EightNumbers): void {
  for (let i = 1; i <= CUBIC_PARTS; i++) {
    const t = i / CUBIC_PARTS;
    const s = 1 - t;
    const [a, b, c, d] = [s * s * s, 3 * t * s * s, 3 * t * t * s, t * t * t];
    out.push(a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3);
  }
}

/**
 * Exact-area coverage, as FreeType's smooth rasteriser computes it: every edge adds, in the pixels it passes, the height
 * it covers and the area to its right; a running sum along the row turns that into winding × coverage. Contours of one
 * direction unite, holes run the other way. What lies outside is cut off.
 *
 * @returns covered part of each pixel, 0–1, `width · height`, row-major
 */
export function rasterise(contours: readonly Contour[], width: number, height: number): Float64Array {
  // One column more: an edge in the last pixel still hands on what lies to its right.
  const stride = width + 2;
  const deltas = new Float64Array(stride * height);
  for (const contour of contours) {
    for (let i = 0; i < contour.length; i += 2) {
      const j = (i + 2) % contour.length;
      addEdge(deltas, stride, width, height, contour[i] ?? 0, contour[i + 1] ?? 0, contour[j] ?? 0, contour[j + 1] ?? 0);
    }
  }
  const coverage = new Float64Array(width * height);
  for (let row = 0; row < height; row++) {
    let sum = 0;
    for (let col = 0; col < width; col++) {
      sum += deltas[row * stride + col] ?? 0;
      coverage[row * width + col] = Math.min(1, Math.abs(sum));
    }
  }
  return coverage;
}

function addEdge(
  deltas: Float64Array,
  stride: number,
  width: number,
  height: number,
  xa: number,
  ya: number,
  xb: number,
  yb: number,
): void {
  if (ya === yb) return;
  const sign = ya < yb ? 1 : -1;
  const [xTop, yTop, xEnd, yEnd] = sign > 0 ? [xa, ya, xb, yb] : [xb, yb, xa, ya];
  const slope = (xEnd - xTop) / (yEnd - yTop);
  const [first, last] = [Math.max(0, Math.floor(yTop)), Math.min(height, Math.ceil(yEnd))];
  for (let row = first; row < last; row++) {
    const [from, to] = [Math.max(row, yTop), Math.min(row + 1, yEnd)];
    if (to <= from) continue;
    addSpan(deltas, row * stride, width, xTop + (from - yTop) * slope, xTop + (to - yTop) * slope, sign * (to - from));
  }
}

/** The part of an edge inside one row, from x0 to x1 over `cover` of its height, shared out to the pixels it passes. */
function addSpan(deltas: Float64Array, start: number, width: number, x0: number, x1: number, cover: number): void {
  const clamp = (x: number) => Math.min(width, Math.max(0, x));
  const [left, right] = [clamp(Math.min(x0, x1)), clamp(Math.max(x0, x1))];
  const whole = Math.abs(x1 - x0);
  // Parts left or right of the picture act as an upright edge at its border.
  const outsideLeft = whole > 0 ? (left - Math.min(x0, x1)) / whole : 0;
  const outsideRight = whole > 0 ? (Math.max(x0, x1) - right) / whole : 0;
  if (outsideLeft > 0) addUpright(deltas, start, 0, cover * Math.min(1, outsideLeft));
  if (outsideRight > 0) addUpright(deltas, start, width, cover * Math.min(1, outsideRight));
  if (right === left) {
    if (outsideLeft === 0 && outsideRight === 0) addUpright(deltas, start, left, cover);
    return;
  }
  for (let x = left; x < right; ) {
    const end = Math.min(Math.floor(x) + 1, right);
    addUpright(deltas, start, (x + end) / 2, (cover * (end - x)) / whole);
    x = end;
  }
}

/** An edge whose mean position is x: its pixel gets the share to the right of x, the next one the rest. */
function addUpright(deltas: Float64Array, start: number, x: number, cover: number): void {
  const col = Math.floor(x);
  const share = col + 1 - x;
  deltas[start + col] = (deltas[start + col] ?? 0) + cover * share;
  deltas[start + col + 1] = (deltas[start + col + 1] ?? 0) + cover * (1 - share);
}
