import type { RgbImage } from './types.ts';

/** Fraction bits of a coefficient: Pillow's 32 − 8 − 2 (8 for the sample, 2 for overshoot). */
const PRECISION_BITS = 22;
const HALF = 1 << (PRECISION_BITS - 1);
/** Resampling kernels by Pillow's names; what a checkpoint's image processor calls `resample` 2, 3 and 1. */
export type ResizeFilter = 'bilinear' | 'bicubic' | 'lanczos';

interface Kernel {
  /** Reach in samples, to either side. */
  support: number;
  weight: (x: number) => number;
}

const KERNELS: Readonly<Record<ResizeFilter, Kernel>> = {
  bilinear: { support: 1, weight: triangle },
  bicubic: { support: 2, weight: cubic },
  lanczos: { support: 3, weight: lanczos },
};

/** Strips taller than this are shrunk vertically first, which spares Pillow a wide intermediate picture. */
const VERTICAL_FIRST_ASPECT = 100;

/** For each output sample, which input samples it is the weighted sum of. */
interface Coefficients<Weights = Int32Array> {
  /** First input sample, an output sample each. */
  start: Int32Array;
  /** Number of input samples, an output sample each. */
  count: Int32Array;
  /** `stride` an output sample: fixed-point where Pillow computes, which sums whole numbers. */
  weights: Weights;
  stride: number;
}

/**
 * Resize, bit for bit `Image.resize` of Pillow 12.3: the kernel widened when shrinking, horizontal pass first, rounding
 * to 8 bits after each pass, fixed-point weights of 22 bits. Aspect ratio is not kept. Pillow 13 takes the vertical pass
 * first for more shapes; NVLM was trained with releases that never did.
 * @param image not modified
 * @param width, height of the result in pixels, whole numbers ≥ 1
 * @param filter Pillow's default, bicubic with a = −0.5, or its Lanczos with three lobes
 * @returns a new picture, also when nothing changes in size
 */
export function resizeImage(image: RgbImage, width: number, height: number, filter: ResizeFilter = 'bicubic'): RgbImage {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new RangeError(`Cannot resize to ${width}×${height}.`);
  }
  if (image.width === width && image.height === height) return { width, height, data: image.data.slice() };
  const kernel = KERNELS[filter];
  if (image.height > VERTICAL_FIRST_ASPECT * image.width && height < image.height)
    return resizeRows(resizeColumns(image, height, kernel), width, kernel);
  return resizeColumns(resizeRows(image, width, kernel), height, kernel);
}

function triangle(x: number): number {
  return Math.max(0, 1 - Math.abs(x));
}

function cubic(x: number): number {
  const a = -0.5;
  x = Math.abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/** sinc(x) · sinc(x / 3) within three samples. */
function lanczos(x: number): number {
  return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

function sinc(x: number): number {
  if (x === 0) return 1;
  x *= Math.PI;
  return Math.sin(x) / x;
}

/** @returns weights that add up to 1 for each output sample */
function weightsOf(from: number, to: number, kernel: Kernel): Coefficients<Float64Array> {
  const scale = from / to;
  const filterScale = Math.max(1, scale);
  const support = kernel.support * filterScale;
  const stride = Math.ceil(support) * 2 + 1;
  const start = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Float64Array(to * stride);
  const inverse = 1 / filterScale;
  for (let out = 0; out < to; out++) {
    const center = (out + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const n = Math.min(from, Math.trunc(center + support + 0.5)) - first;
    const own = weights.subarray(out * stride, out * stride + n);
    let sum = 0;
    for (let i = 0; i < n; i++) sum += own[i] = kernel.weight((i + first - center + 0.5) * inverse);
    if (sum !== 0) for (let i = 0; i < n; i++) own[i] = own[i]! / sum;
    start[out] = first;
    count[out] = n;
  }
  return { start, count, weights, stride };
}

function coefficients(from: number, to: number, kernel: Kernel): Coefficients {
  const { weights, ...rest } = weightsOf(from, to, kernel);
  return { ...rest, weights: Int32Array.from(weights, fixedPoint) };
}

function fixedPoint(weight: number): number {
  const scaled = weight * (1 << PRECISION_BITS);
  return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

function resizeRows(image: RgbImage, to: number, kernel: Kernel): RgbImage {
  if (image.width === to) return image;
  const { width: from, height, data } = image;
  const { start, count, weights, stride } = coefficients(from, to, kernel);
  const out = new Uint8ClampedArray(to * height * 3); // clamps the overshoot
  let at = 0;
  for (let y = 0; y < height; y++) {
    const row = y * from * 3;
    for (let x = 0; x < to; x++, at += 3) {
      let r = HALF;
      let g = HALF;
      let b = HALF;
      let source = row + start[x]! * 3;
      const first = x * stride;
      const last = first + count[x]!;
      for (let i = first; i < last; i++, source += 3) {
        const weight = weights[i]!;
        r += Math.imul(data[source]!, weight);
        g += Math.imul(data[source + 1]!, weight);
        b += Math.imul(data[source + 2]!, weight);
      }
      out[at] = r >> PRECISION_BITS;
      out[at + 1] = g >> PRECISION_BITS;
      out[at + 2] = b >> PRECISION_BITS;
    }
  }
  return { width: to, height, data: new Uint8Array(out.buffer) };
}

function resizeColumns(image: RgbImage, to: number, kernel: Kernel): RgbImage {
  if (image.height === to) return image;
  const { width, height: from, data } = image;
  const { start, count, weights, stride } = coefficients(from, to, kernel);
  const rowLength = width * 3;
  const out = new Uint8ClampedArray(rowLength * to);
  const sums = new Int32Array(rowLength); // a whole row at once, so that memory is read in order
  for (let y = 0; y < to; y++) {
    sums.fill(HALF);
    for (let i = 0; i < count[y]!; i++) {
      const weight = weights[y * stride + i]!;
      const source = (start[y]! + i) * rowLength;
      for (let x = 0; x < rowLength; x++) sums[x] = sums[x]! + Math.imul(data[source + x]!, weight);
    }
    const target = y * rowLength;
    for (let x = 0; x < rowLength; x++) out[target + x] = sums[x]! >> PRECISION_BITS;
  }
  return { width, height: to, data: new Uint8Array(out.buffer) };
}

/**
 * Bilinear resize as PyTorch does it on floats (`interpolate` with `antialias`, which torchvision's `resize` calls for tensors): the
 * weights of Pillow's, not rounded, and nothing rounded to 8 bits in between or after. Within 1e-6 of a sample's range.
 * @returns the picture, and its unrounded samples as `exact`
 */
export function resizeUnrounded(image: RgbImage, width: number, height: number): RgbImage & { exact: Float32Array } {
  const across = weightsOf(image.width, width, KERNELS.bilinear);
  const down = weightsOf(image.height, height, KERNELS.bilinear);
  const rows = new Float32Array(image.height * width * 3);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < width; x++) {
      const first = y * image.width + across.start[x]!;
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let i = 0; i < across.count[x]!; i++) sum += image.data[(first + i) * 3 + channel]! * across.weights[x * across.stride + i]!;
        rows[(y * width + x) * 3 + channel] = sum;
      }
    }
  }
  const rowLength = width * 3;
  const exact = new Float32Array(height * rowLength);
  for (let y = 0; y < height; y++) {
    for (let at = 0; at < rowLength; at++) {
      let sum = 0;
      for (let i = 0; i < down.count[y]!; i++) sum += rows[(down.start[y]! + i) * rowLength + at]! * down.weights[y * down.stride + i]!;
      exact[y * rowLength + at] = sum;
    }
  }
  return { width, height, data: Uint8Array.from(exact, Math.round), exact };
}
