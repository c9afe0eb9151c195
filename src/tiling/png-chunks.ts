import { crc32 } from '../files/crc32.ts';
import { badImage, checkSize, corrupt, truncated } from './image-limits.ts';
import { isMetadata, type MetadataChunk } from './png-metadata.ts';

/** IHDR colour types (PNG specification §11.2.1). */
export const COLOUR = { grey: 0, rgb: 2, palette: 3, greyAlpha: 4, rgba: 6 } as const;

const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const DEPTHS: Record<number, readonly number[]> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

/** A PNG taken apart, nothing inflated yet. */
export interface PngChunks {
  width: number;
  height: number;
  /** bits a sample */
  depth: number;
  colour: number;
  /** samples a pixel */
  channels: number;
  interlaced: boolean;
  /** RGB triples */
  palette: Uint8Array;
  /** tRNS: alphas of the palette's entries, or one u16 colour key a channel */
  transparency: Uint8Array | null;
  /** The zlib stream, in pieces that are views of the file. */
  data: Uint8Array[];
  /** What may say how to turn it, in the file's order; the last ones of very many. */
  metadata: MetadataChunk[];
  /** The file ends before its end chunk: its rows tell whether the picture is whole. */
  cut: boolean;
}

const MOST_METADATA = 16;

/**
 * Reads a PNG's chunks. Of an APNG IDAT is the first picture (Pillow's frame 0), and what follows it is passed over. A file that
 * ends in its picture data or right behind it is taken for what is there, as browsers and Pillow take it.
 * @throws NvlmError by the declared size before looking further, and for missing ends, bad checksums and unknown types
 */
export function readPngChunks(bytes: Uint8Array): PngChunks {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let png: PngChunks | null = null;
  for (let at = 8; ; ) {
    const left = bytes.length - at - 8;
    const type = left < 0 ? '' : String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const length = left < 0 ? 0 : view.getUint32(at);
    if (length + 4 > left) {
      if (!png || (type !== 'IDAT' && (png.data.length === 0 || !['', 'IEND'].includes(type)))) throw truncated('PNG');
      if (type === 'IDAT' && left > 0) png.data.push(bytes.subarray(at + 8, at + 8 + length));
      png.cut = true;
      break;
    }
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (crc32(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length)) {
      throw corrupt('PNG', `the checksum of its ${/^\w+$/.test(type) ? type : 'next'} chunk is wrong`);
    }
    if (!png) {
      if (type !== 'IHDR' || length !== 13) throw corrupt('PNG', 'it does not start with a header');
      png = readHeader(body);
    } else if (type === 'PLTE') png.palette = body;
    else if (type === 'tRNS') png.transparency = body;
    else if (isMetadata(type, body)) png.metadata = [...png.metadata.slice(1 - MOST_METADATA), { type, body }];
    else if (type === 'IDAT' && length > 0) png.data.push(body);
    else if (type === 'IEND' || (type === 'fcTL' && png.data.length > 0)) break;
    at += 12 + length;
  }
  if (png.data.length === 0) throw corrupt('PNG', 'it holds no picture data');
  if (png.colour === COLOUR.palette && png.palette.length < 3) throw corrupt('PNG', 'its palette is missing');
  return png;
}

function readHeader(body: Uint8Array): PngChunks {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const [depth, colour, compression, filter, interlace] = body.subarray(8) as unknown as [number, number, number, number, number];
  checkSize(width, height);
  if (!DEPTHS[colour]?.includes(depth) || compression !== 0 || filter !== 0 || interlace > 1) {
    throw badImage(
      `The PNG file declares a pixel format that does not exist (colour type ${colour}, ${depth} bits).`,
      'Open it in an image editor, save it as a new file, and use that one.',
    );
  }
  return {
    width,
    height,
    depth,
    colour,
    channels: CHANNELS[colour]!,
    interlaced: interlace === 1,
    palette: new Uint8Array(0),
    transparency: null,
    data: [],
    metadata: [],
    cut: false,
  };
}
