import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import type { InspectRequest, Inspection } from '../engine/api.ts';
import { nvlm72bGeometry, geometryOfModel, type Geometry } from '../engine/inspect/geometries.ts';
import { COMPARED_LETTERS, inspectImage } from '../engine/inspect/inspect.ts';
import { inspectionJson } from '../engine/inspect/inspection-json.ts';
import { encodePng } from '../tiling/encode-png.ts';
import { MAX_TILES_ANYWHERE } from '../tiling/tile-limits.ts';
import { TAG_FORMAT_NAMES, type TagFormat } from '../tiling/tags.ts';
import { readModelDescription } from '../weights/model-folder.ts';
import { withCommonOptions, wholeNumber, type CommonOptions, type Context, type Run } from './command.ts';
import { formatBytes, formatTable } from './format.ts';
import { readImageFile } from './input-files.ts';
import { MODEL_HELP, modelSource } from './model-source.ts';
import { openFiles } from './node-platform.ts';

interface InspectOptions extends CommonOptions {
  model?: string;
  arch?: string;
  maxTiles?: number;
  tileSize?: number;
  tags?: TagFormat;
  prompt?: string;
  dumpTiles?: string;
}

export function addInspect(program: Command, run: Run): void {
  withCommonOptions(
    program
      .command('inspect')
      .description('Show how an image is cut into tiles and tagged, and what it costs each architecture. Nothing is computed.')
      .argument('<image>', 'PNG, JPEG or WebP file')
      .option('--model <model>', `whose tokenizer and sizes count; default NVLM-1.0 72B (448-pixel tiles, at most 6): ${MODEL_HELP}`)
      .addOption(new Option('--arch <letter>', 'the architecture to print; --json holds them all').choices([...COMPARED_LETTERS]))
      .option('--max-tiles <n>', 'most regular tiles (NVLM: up to 12)', wholeNumber(1, MAX_TILES_ANYWHERE))
      .option('--tile-size <pixels>', 'side of a tile (NVLM: a multiple of 28)', wholeNumber(1))
      .addOption(new Option('--tags <format>', 'how tiles are named in the text').choices(TAG_FORMAT_NAMES))
      .option('--prompt <text>', 'count a whole prompt with this question instead of the image alone (needs --model)')
      .option('--dump-tiles <folder>', 'write the tiles as PNG, as the model sees them before normalisation'),
  ).action((image: string, options: InspectOptions) => run(options, (context) => inspect(image, options, context)));
}

async function inspect(path: string, options: InspectOptions, { signal, caution }: Context) {
  const bytes = await readImageFile(path);
  const geometry = options.model ? await modelGeometry(options.model, signal) : nvlm72bGeometry();
  const request: Partial<InspectRequest> = { ...options, tagFormat: options.tags };
  const inspection = await inspectImage(bytes, geometry, request, { signal });
  if (inspection.notice) caution([`${path}: ${inspection.notice}.`]);
  if (options.dumpTiles) await dumpTiles(inspection, options.dumpTiles);
  return { document: inspectionJson(inspection), text: describe(inspection, options.arch) };
}

async function modelGeometry(model: string, signal: AbortSignal): Promise<Geometry> {
  const folder = await readModelDescription(await openFiles(await modelSource(model), { signal }), signal);
  // Not above: it brings tfjs along.
  const { openTextSide } = await import('../engine/chat/text-side.ts');
  return geometryOfModel({ id: model, title: model, ...openTextSide(folder) });
}

/** `tile_1.png` … in sequence order and `thumbnail.png`; a picture of one tile is `tile_1.png`. */
async function dumpTiles({ tiling }: Inspection, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  let number = 0;
  for (const tile of tiling.tiles) {
    const name = tile.thumbnail ? 'thumbnail.png' : `tile_${++number}.png`;
    await writeFile(join(folder, name), await encodePng(tile.pixels));
  }
}

function describe({ tiling, tokens, costs, architectures, geometry }: Inspection, only: string | undefined): string {
  const { image, grid, canvas, tiles } = tiling;
  const shown = architectures.filter(({ letter }) => only === undefined || letter === only);
  const count = tiles.length === 1 ? '1 tile' : `${tiles.length} tiles`;
  const tileRows = tiles.map(({ index, tag, box, thumbnail }) => [
    `  ${index + 1}`,
    tag || '(no tag)',
    thumbnail ? 'the whole picture' : `${box.x},${box.y}`,
  ]);
  const costRows = shown.map(({ letter, title }) => {
    const { decoderTokens, crossAttentionTokens, kvBytes } = costs[letter]!;
    return [title, String(decoderTokens), String(crossAttentionTokens), formatBytes(kvBytes)];
  });
  return [
    `${image.width} × ${image.height} pixels, ${geometry.title}`,
    `Grid ${grid.cols} × ${grid.rows}, canvas ${canvas.width} × ${canvas.height}: ${grid.reason}`,
    `${count} of ${geometry.tileSize} pixels (left, top on the canvas):`,
    formatTable(tileRows),
    `${tokens.perTile} tokens a tile, ${tokens.visual} visual tokens, ${tokens.tags} of tags`,
    '',
    formatTable([['', 'decoder tokens', 'cross-attention tokens', 'KV cache (f16)'], ...costRows]),
  ].join('\n');
}
