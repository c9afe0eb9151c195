import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import type { InspectRequest, Inspection } from '../engine/api.ts';
import { nvlm72bGeometry, geometryOfModel, type Geometry } from '../engine/inspect/geometries.ts';
import { inspectImage } from '../engine/inspect/inspect.ts';
import { inspectionJson } from '../engine/inspect/inspection-json.ts';
import { encodePng } from '../tiling/encode-png.ts';
import { MAX_TILES } from '../tiling/options.ts';
import type { TagFormat } from '../tiling/types.ts';
import { readModelDescription } from '../weights/model-folder.ts';
import { withCommonOptions, wholeNumber, type CommonOptions, type Context, type Run } from './command.ts';
import { formatBytes, formatTable } from './format.ts';
import { readImageFile } from './input-files.ts';
import { MODEL_HELP, modelSource } from './model-source.ts';
import { openFiles } from './node-platform.ts';

type ArchitectureLetter = 'D' | 'X' | 'H';

interface InspectOptions extends CommonOptions {
  model?: string;
  arch?: ArchitectureLetter;
  maxTiles?: number;
  tileSize?: number;
  tags?: TagFormat;
  prompt?: string;
  dumpTiles?: string;
}

const TITLES: Record<ArchitectureLetter, string> = { D: 'NVLM-D', X: 'NVLM-X', H: 'NVLM-H' };

export function addInspect(program: Command, run: Run): void {
  withCommonOptions(
    program
      .command('inspect')
      .description(
        'Show how an image is cut into tiles and tagged, and what it costs each architecture. Nothing is computed.',
      )
      .argument('<image>', 'PNG, JPEG or WebP file')
      .option(
        '--model <model>',
        `whose tokenizer and sizes count; default NVLM-1.0 72B (448-pixel tiles, at most 6): ${MODEL_HELP}`,
      )
      .addOption(
        new Option('--arch <letter>', 'the architecture to print; --json holds all three').choices(['D', 'X', 'H']),
      )
      .option('--max-tiles <n>', `most regular tiles, 1 to ${MAX_TILES}`, wholeNumber(1, MAX_TILES))
      .option('--tile-size <pixels>', 'side of a tile, a multiple of 28', wholeNumber(1))
      .addOption(
        new Option('--tags <format>', 'how tiles are named in the text').choices(['1d', '2d-grid', '2d-bbox', 'none']),
      )
      .option('--prompt <text>', 'count a whole prompt with this question instead of the image alone (needs --model)')
      .option('--dump-tiles <folder>', 'write the tiles as PNG, as the model sees them before normalisation'),
  ).action((image: string, options: InspectOptions) => run(options, (context) => inspect(image, options, context)));
}

async function inspect(path: string, options: InspectOptions, { signal }: Context) {
  const bytes = await readImageFile(path);
  const geometry = options.model ? await modelGeometry(options.model, signal) : nvlm72bGeometry();
  const request: Partial<InspectRequest> = { ...options, tagFormat: options.tags };
  const inspection = await inspectImage(bytes, geometry, request, { signal });
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
  for (const tile of tiling.tiles) {
    const name = tile.thumbnail ? 'thumbnail.png' : `tile_${tile.index + 1}.png`;
    await writeFile(join(folder, name), await encodePng(tile.pixels));
  }
}

function describe({ tiling, tokens, costs, geometry }: Inspection, only: ArchitectureLetter | undefined): string {
  const { image, grid, canvas, tiles } = tiling;
  const letters = only ? [only] : (['D', 'X', 'H'] as const);
  const count = tiles.length === 1 ? '1 tile' : `${tiles.length} tiles`;
  const tileRows = tiles.map(({ index, tag, box, thumbnail }) => [
    `  ${index + 1}`,
    tag || '(no tag)',
    thumbnail ? 'the whole picture' : `${box.x},${box.y}`,
  ]);
  const costRows = letters.map((letter) => [
    TITLES[letter],
    String(costs[letter].decoderTokens),
    String(costs[letter].crossAttentionTokens),
    formatBytes(costs[letter].kvBytes),
  ]);
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
