import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/** A sha256 that takes a file piece by piece, which WebCrypto's does not. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** Lower-case hex. Ends the hash. */
  digest(): string;
}

export function createHasher(): Hasher {
  const hash = sha256.create();
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => bytesToHex(hash.digest()),
  };
}
