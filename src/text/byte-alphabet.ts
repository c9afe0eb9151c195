/**
 * GPT-2's spelling of the 256 bytes, by byte: printable ones stand for themselves, the others for the code points from
 * U+0100 on.
 */
export const BYTE_ALPHABET: readonly string[] = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
})();

/** Whether GPT-2 writes the byte as it is: neither blank nor control character nor soft hyphen. */
export function isPrintable(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad);
}
