/**
 * What the screen Inside shows of an example before its model is loaded: made from the models themselves.
 *
 * `npx tsx build/inside-examples.ts` writes public/inside/MODEL.json for the bundled models, after they or the examples have changed.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { nodePlatform } from '../src/device/node.ts';
import { openDevice } from '../src/device/open-device.ts';
import { Session } from '../src/engine/chat/session.ts';
import { Inside } from '../src/engine/inside/inside.ts';
import { wholeTiles } from '../src/engine/inside/regions.ts';
import type { StoredLook, StoredLooks } from '../src/engine/inside/stored-looks.ts';
import { nodeFiles } from '../src/weights/node-files.ts';
import { openModelFolder } from '../src/weights/model-folder.ts';
import { exampleCards, exampleFile } from '../workers/desk-pictures.ts';

const folder = (path: string) => fileURLToPath(new URL(`../public/${path}`, import.meta.url));
const LONGEST = 64;
/** Weights are stored in steps of this: a picture shows no finer ones. */
const STEP = 1e-4;

/** One example through one model, seen from inside: its first suggested question. */
export async function lookAt(inside: Inside, id: string): Promise<StoredLook> {
  const question = exampleCards().find((card) => card.id === id)!.suggestedQuestions[0]!;
  const { trace, rows, ...about } = await inside.open({
    messages: [{ role: 'user', content: question }],
    image: await exampleFile(id),
    maxNewTokens: LONGEST,
  });
  const worth: number[][] = [];
  await inside.worth(
    { trace, regions: wholeTiles(about.layout!.tiles.length) },
    { onEvent: (event) => (worth[event.region] = event.worth) },
  );
  const looks: StoredLook['looks'] = {};
  for (const kind of ['self', 'cross'] as const) {
    if (about.layers[kind].length === 0) continue;
    const { values, keys } = await inside.attention({ trace, kind, how: 'mean' });
    looks[kind] = { keys, step: STEP, values: Array.from(values, (value) => Math.round(value / STEP)) };
  }
  const rounded = JSON.parse(
    JSON.stringify({ about, worth }, (_, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value)),
  ) as { about: StoredLook['about']; worth: number[][] };
  // What a machine took says nothing of another one.
  return {
    question,
    ...rounded,
    about: { ...rounded.about, rows: rows.slice(-about.answer.length), worthMs: 0, cellWorthMs: 0, lensMs: 0 },
    looks,
  };
}

/** The bundled model's session, on wasm. */
export async function openBundled(model: string): Promise<{ inside: Inside; close(): Promise<void> }> {
  const device = await openDevice('wasm', nodePlatform({ threads: 1 }));
  const session = await Session.open(await openModelFolder(nodeFiles(folder(`models/${model}`))), device);
  const inside = new Inside(session);
  return {
    inside,
    async close() {
      inside.close();
      session.dispose();
      await device.dispose();
    },
  };
}

export async function readStored(model: string): Promise<StoredLooks> {
  return JSON.parse(await readFile(folder(`inside/${model}.json`), 'utf8')) as StoredLooks;
}

export const MODELS = ['nano-d', 'nano-x', 'nano-h'];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const model of MODELS) {
    const { inside, close } = await openBundled(model);
    const looks: StoredLooks = {};
    for (const { id } of exampleCards()) looks[id] = await lookAt(inside, id);
    await writeFile(folder(`inside/${model}.json`), `${JSON.stringify(looks)}\n`);
    await close();
  }
}
