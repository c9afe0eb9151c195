import { crc32 } from './crc32.ts';
import { viewOf } from './zip-format.ts';

/** The upper half of code page 437, in which ZIP files have their names unless they say otherwise. */
const CP437 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';
/** Info-ZIP's extra field that holds the name in UTF-8 (APPNOTE 4.6.9): version, CRC-32 of the name in the header, the name. */
const UNICODE_PATH = 0x7075;

/**
 * A member's name, with `/` between folders whatever its writer took.
 *
 * @param utf8 the header says that the name is UTF-8; macOS writes it so without saying
 */
export function memberName(name: Uint8Array, extra: Uint8Array, utf8: boolean): string {
  const own = utf8 ? null : unicodePath(name, extra);
  return (own ?? strictUtf8(name) ?? (utf8 ? new TextDecoder().decode(name) : cp437(name))).replaceAll('\\', '/');
}

function unicodePath(name: Uint8Array, extra: Uint8Array): string | null {
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length; at += 4 + view.getUint16(at + 2, true)) {
    const field = extra.subarray(at + 4, at + 4 + view.getUint16(at + 2, true));
    // Where the names differ, somebody has renamed the member and left this behind.
    if (view.getUint16(at, true) === UNICODE_PATH && field.length > 5 && field[0] === 1 && viewOf(field).getUint32(1, true) === crc32(name))
      return strictUtf8(field.subarray(5));
  }
  return null;
}

function strictUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

function cp437(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : CP437[byte - 0x80]!)).join('');
}
