/** Records and numbers of ZIP files (PKWARE APPNOTE 6.3.10), without zip64 and encryption. */
export const LOCAL = { signature: 0x04034b50, bytes: 30 };
export const CENTRAL = { signature: 0x02014b50, bytes: 46 };
export const END = { signature: 0x06054b50, bytes: 22 };

export const STORED = 0;
export const DEFLATED = 8;
export const FLAG_ENCRYPTED = 1;
export const FLAG_UTF8 = 0x800;

/** All ones: the number stands in a zip64 record. */
export const NO_COUNT = 0xffff;
export const NO_OFFSET = 0xffffffff;

export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
