/**
 * Where the time of an answer goes in Node: vision encoder, prefill and decode of a picture of 6 tiles and a thumbnail.
 *
 * `npx tsx bench/chat.ts [MODEL] [BACKEND] [RUNS]`, e.g. `nano-d wasm 5`
 */
import { deskExamples } from '../src/desk/examples.ts';
import { openDevice } from '../src/device/open-device.ts';
import { nodePlatform } from '../src/device/node.ts';
import type { BackendChoice } from '../src/device/types.ts';
import type { ChatResult } from '../src/engine/api.ts';
import { Session } from '../src/engine/session.ts';
import { openFiles } from '../src/headless/node-platform.ts';
import { encodePng } from '../src/tiling/encode-png.ts';
import { openModelFolder } from '../src/weights/model-folder.ts';
import { printReport } from './report.ts';

const [model = 'nano-d', backend = 'wasm', runs = '5'] = process.argv.slice(2);
const example = deskExamples().find(({ tiles, kind }) => tiles === 6 && kind === 'shapes');
if (!example) throw new Error('No example of six tiles.');
const image = await encodePng(example.draw());

const device = await openDevice(backend as BackendChoice, nodePlatform());
const folder = await openModelFolder(await openFiles({ kind: 'bundled', id: model }));

/** A fresh session each time, or features and cache would be reused. */
async function answer(): Promise<ChatResult> {
  const session = await Session.open(folder, device);
  const result = await session.chat({
    messages: [{ role: 'user', content: 'Describe the image.' }],
    image,
    sampling: { temperature: 0 },
    maxNewTokens: 64,
  });
  session.dispose();
  return result;
}

await answer();
const results: ChatResult[] = [];
for (let run = 0; run < Number(runs); run++) results.push(await answer());
const { adapter, backend: opened } = device.info;
const measured = (name: string, unit: string, of: (result: ChatResult) => number) => ({
  name: `${model}: ${name}, 6 + 1 tiles`,
  unit,
  samples: results.map(of),
  adapter,
  backend: opened,
});
printReport(
  measured('vision encoder and tiling', 'ms', ({ timings }) => timings.visionMs),
  measured('prefill', 'ms', ({ timings }) => timings.prefillMs),
  measured('decode', 'tokens/s', ({ timings, usage }) => (usage.completionTokens / timings.decodeMs) * 1000),
);
await device.dispose();
// Dawn keeps the process alive for as long as its instance lives.
process.exit(0);
