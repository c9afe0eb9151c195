import { BYTE_ALPHABET } from './byte-alphabet.ts';

const BYTE_OF_UNIT: ReadonlyMap<string, number> = new Map(BYTE_ALPHABET.map((unit, byte) => [unit, byte]));

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A vocabulary piece as a person reads it: its characters, or `⟨E6 97⟩` when it holds only part of a character.
 * `piece` is spelt in GPT-2's byte alphabet (`byteLevel`) or in SentencePiece's (`▁` for a blank, `<0xE6>` for a byte).
 */
export function readablePiece(piece: string, byteLevel: boolean): string {
  if (!byteLevel) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(piece)?.[1];
    return byte === undefined ? piece.replaceAll('\u2581', ' ') : readableBytes([parseInt(byte, 16)]);
  }
  const bytes: number[] = [];
  for (const unit of piece) {
    const byte = BYTE_OF_UNIT.get(unit);
    if (byte === undefined) return piece;
    bytes.push(byte);
  }
  return readableBytes(bytes);
}

function readableBytes(bytes: number[]): string {
  try {
    return strictUtf8.decode(Uint8Array.from(bytes));
  } catch {
    return `\u27e8${bytes.map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' ')}\u27e9`;
  }
}
