/**
 * What SHA-256 of a model's files costs, in pieces as they come: the project's kernel, the same in JavaScript (@noble/hashes), Node's own.
 * Processor time; 64 MB a sample, in turn.
 *
 * `npx tsx bench/sha256.ts [RUNS]`
 */
import { createHash } from 'node:crypto';
import { plainSha256 } from '../src/weights/hasher.ts';
import { wasmSha256 } from '../src/weights/sha256.ts';
import { printReport, type Measurement } from './report.ts';

const PIECE_BYTES = 2 ** 20;
const PIECES = 64;
const runs = Number(process.argv[2] ?? 5);

const piece = Uint8Array.from({ length: PIECE_BYTES }, (_, i) => (i * 31 + (i >> 8)) & 255);
const sides: Record<string, () => { update(bytes: Uint8Array): unknown; digest(): unknown }> = {
  'WebAssembly kernel': () => wasmSha256()!,
  'JavaScript (@noble/hashes)': plainSha256,
  'Node’s own': () => createHash('sha256'),
};

const samples = new Map<string, number[]>(Object.keys(sides).map((name) => [name, []]));
// The first round is V8's, to compile in.
for (let run = -1; run < runs; run++) {
  for (const [name, create] of Object.entries(sides)) {
    const before = process.cpuUsage();
    const hash = create();
    for (let i = 0; i < PIECES; i++) hash.update(piece);
    hash.digest();
    const { user, system } = process.cpuUsage(before);
    if (run >= 0) samples.get(name)!.push((PIECES * PIECE_BYTES) / (user + system));
  }
}
const where = { adapter: null, backend: 'wasm' as const, runtime: `Node ${process.version}` };
printReport(
  ...[...samples].map(
    ([name, values]): Measurement => ({ name: `sha256: ${name}, processor time`, unit: 'MB/s', samples: values, ...where }),
  ),
);
