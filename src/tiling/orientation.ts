const ORIENTATION = 0x0112;
const BYTE = 1;
const SHORT = 3;

/** What a file says besides its pixels; null where it says nothing. */
export interface PictureMetadata {
  /** A TIFF block as JPEG (APP1), PNG (eXIf) and WebP (EXIF) carry it, with or without the `Exif\0\0` prefix. */
  exif: Uint8Array | null;
  /** The XMP packet's text. */
  xmp: string | null;
}

/**
 * How a picture is to be turned, 1–8 as in {@link orient}: what EXIF says and, where EXIF has no orientation, what XMP says, as
 * in Pillow's `ImageOps.exif_transpose`. Metadata that makes no sense counts as none: it never makes a picture unreadable.
 */
export function orientationOf({ exif, xmp }: PictureMetadata): number {
  const said = (exif && exifOrientation(exif)) ?? Number(/tiff:Orientation(?:="|>)([0-9])/.exec(xmp ?? '')?.[1] ?? 1);
  return said >= 1 && said <= 8 ? said : 1;
}

/** The value of the tag; null when the block does not have it. */
function exifOrientation(block: Uint8Array): number | null {
  let tiff = block;
  // Some writers put the prefix twice.
  for (let i = 0; i < 2 && String.fromCharCode(...tiff.subarray(0, 6)) === 'Exif\0\0'; i++) tiff = tiff.subarray(6);
  if (tiff.length < 8) return null;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const mark = view.getUint16(0);
  if (mark !== 0x4949 && mark !== 0x4d4d) return null;
  const little = mark === 0x4949;
  const directory = view.getUint32(4, little);
  if (directory + 2 > tiff.length) return null;
  const count = view.getUint16(directory, little);
  for (let i = 0, at = directory + 2; i < count && at + 12 <= tiff.length; i++, at += 12) {
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    const type = view.getUint16(at + 2, little);
    if (type === BYTE) return view.getUint8(at + 8);
    return type === SHORT ? view.getUint16(at + 8, little) : view.getUint32(at + 8, little);
  }
  return null;
}
