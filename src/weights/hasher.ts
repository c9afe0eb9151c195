import { sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { nodeModules } from '../files/node-module.ts';
import { wasmSha256 } from './sha256.ts';

/** A hash that takes a file piece by piece, which WebCrypto's does not. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** Lower-case hex. Ends the hash. */
  digest(): string;
}

/** sha256: 64 hex digits. */
export function createHasher(): Hasher {
  return nodeSha256() ?? wasmSha256() ?? plainSha256();
}

/** Node's own, which is native and takes a file piece by piece; null elsewhere. */
function nodeSha256(): Hasher | null {
  const hash = nodeModules()?.('node:crypto').createHash('sha256');
  return hash ? { update: (bytes) => void hash.update(bytes), digest: () => hash.digest('hex') } : null;
}

/** In JavaScript. */
export function plainSha256(): Hasher {
  return hasherOf(sha256.create());
}

/**
 * What git calls a file of `size` bytes: the sha1 of a header and its content, 40 hex digits. Hubs list small files by
 * it. It finds damage; unlike sha256 it does not stand against someone who wants a collision.
 */
export function createGitHasher(size: number): Hasher {
  const hash = sha1.create();
  hash.update(new TextEncoder().encode(`blob ${size}\0`));
  return hasherOf(hash);
}

function hasherOf(hash: { update(bytes: Uint8Array): unknown; digest(): Uint8Array }): Hasher {
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => bytesToHex(hash.digest()),
  };
}
