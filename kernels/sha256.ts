/**
 * The compression function of SHA-256 (FIPS 180-4, section 6.2.2), compiled by build/wasm-kernels.ts into src/weights/sha256-bytes.ts: a
 * module and a memory of its own, unlike the kernels of the wasm backend, and no SIMD, for every round waits for the one before.
 */

/** Free for the caller from here on. */
export const FREE: usize = __heap_base;

const K = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);
/** The message schedule of a block. */
const W = memory.data(256);

// @ts-ignore: decorator
@inline
function sum0(a: u32): u32 {
  return rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
}

// @ts-ignore: decorator
@inline
function sum1(e: u32): u32 {
  return rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
}

// @ts-ignore: decorator
@inline
function choose(e: u32, f: u32, g: u32): u32 {
  return g ^ (e & (f ^ g));
}

// @ts-ignore: decorator
@inline
function majority(a: u32, b: u32, c: u32): u32 {
  return (a & b) ^ (c & (a ^ b));
}

/** The word of the schedule at `w`; computes the one 16 words behind it, for there are rounds to spare while this one waits. */
// @ts-ignore: decorator
@inline
function expand(w: usize): u32 {
  const word = load<u32>(w);
  const early = load<u32>(w, 4);
  const late = load<u32>(w, 56);
  const sigma0 = rotr(early, 7) ^ rotr(early, 18) ^ (early >> 3);
  const sigma1 = rotr(late, 17) ^ rotr(late, 19) ^ (late >> 10);
  store<u32>(w, word + sigma0 + load<u32>(w, 36) + sigma1, 64);
  return word;
}

/** Takes `count` blocks of 64 bytes from `at` on into the eight words of `state`. */
export function compress(state: usize, at: usize, count: i32): void {
  let h0 = load<u32>(state, 0), h1 = load<u32>(state, 4), h2 = load<u32>(state, 8), h3 = load<u32>(state, 12);
  let h4 = load<u32>(state, 16), h5 = load<u32>(state, 20), h6 = load<u32>(state, 24), h7 = load<u32>(state, 28);
  for (; count > 0; count--, at += 64) {
    for (let i: usize = 0; i < 64; i += 4) store<u32>(W + i, bswap(load<u32>(at + i)));
    let a = h0, b = h1, c = h2, d = h3, e = h4, f = h5, g = h6, h = h7;
    let t: u32;
    let w = W;
    let k = K;
    // Eight rounds at a time, after which each value is in its own variable again.
    for (; w < W + 192; w += 32, k += 32) {
      t = h + sum1(e) + choose(e, f, g) + expand(w) + load<u32>(k); d += t; h = t + sum0(a) + majority(a, b, c);
      t = g + sum1(d) + choose(d, e, f) + expand(w + 4) + load<u32>(k, 4); c += t; g = t + sum0(h) + majority(h, a, b);
      t = f + sum1(c) + choose(c, d, e) + expand(w + 8) + load<u32>(k, 8); b += t; f = t + sum0(g) + majority(g, h, a);
      t = e + sum1(b) + choose(b, c, d) + expand(w + 12) + load<u32>(k, 12); a += t; e = t + sum0(f) + majority(f, g, h);
      t = d + sum1(a) + choose(a, b, c) + expand(w + 16) + load<u32>(k, 16); h += t; d = t + sum0(e) + majority(e, f, g);
      t = c + sum1(h) + choose(h, a, b) + expand(w + 20) + load<u32>(k, 20); g += t; c = t + sum0(d) + majority(d, e, f);
      t = b + sum1(g) + choose(g, h, a) + expand(w + 24) + load<u32>(k, 24); f += t; b = t + sum0(c) + majority(c, d, e);
      t = a + sum1(f) + choose(f, g, h) + expand(w + 28) + load<u32>(k, 28); e += t; a = t + sum0(b) + majority(b, c, d);
    }
    for (; w < W + 256; w += 32, k += 32) {
      t = h + sum1(e) + choose(e, f, g) + load<u32>(w) + load<u32>(k); d += t; h = t + sum0(a) + majority(a, b, c);
      t = g + sum1(d) + choose(d, e, f) + load<u32>(w, 4) + load<u32>(k, 4); c += t; g = t + sum0(h) + majority(h, a, b);
      t = f + sum1(c) + choose(c, d, e) + load<u32>(w, 8) + load<u32>(k, 8); b += t; f = t + sum0(g) + majority(g, h, a);
      t = e + sum1(b) + choose(b, c, d) + load<u32>(w, 12) + load<u32>(k, 12); a += t; e = t + sum0(f) + majority(f, g, h);
      t = d + sum1(a) + choose(a, b, c) + load<u32>(w, 16) + load<u32>(k, 16); h += t; d = t + sum0(e) + majority(e, f, g);
      t = c + sum1(h) + choose(h, a, b) + load<u32>(w, 20) + load<u32>(k, 20); g += t; c = t + sum0(d) + majority(d, e, f);
      t = b + sum1(g) + choose(g, h, a) + load<u32>(w, 24) + load<u32>(k, 24); f += t; b = t + sum0(c) + majority(c, d, e);
      t = a + sum1(f) + choose(f, g, h) + load<u32>(w, 28) + load<u32>(k, 28); e += t; a = t + sum0(b) + majority(b, c, d);
    }
    h0 += a; h1 += b; h2 += c; h3 += d; h4 += e; h5 += f; h6 += g; h7 += h;
  }
  store<u32>(state, h0, 0); store<u32>(state, h1, 4); store<u32>(state, h2, 8); store<u32>(state, h3, 12);
  store<u32>(state, h4, 16); store<u32>(state, h5, 20); store<u32>(state, h6, 24); store<u32>(state, h7, 28);
}
