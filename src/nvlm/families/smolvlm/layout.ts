import { unrolled, type BlockPiece, type ImageLayout } from '../../../text/image-layout.ts';

const AROUND = '<fake_token_around_image>';

/** A mark before every tile, a line end behind every row and one more before the global view, a mark at the end. */
function block(tiles: Parameters<ImageLayout['block']>[0]): BlockPiece[] {
  const pieces: BlockPiece[] = [];
  tiles.forEach((tile, index) => {
    const isGlobal = tile.thumbnail || tiles.length === 1;
    const endsRow = !isGlobal && tiles[index + 1]?.row !== tile.row;
    const rowEnded = isGlobal && tiles.length > 1 ? '\n' : '';
    pieces.push({ text: rowEnded + AROUND }, { tile: index });
    if (endsRow || (!isGlobal && tiles[index + 1]?.thumbnail)) pieces.push({ text: '\n' });
  });
  pieces.push({ text: AROUND });
  return pieces;
}

/** How a picture stands in SmolVLM's sequence (`get_image_prompt_string` of its processor); text is tokenised as one, as there. */
export const smolvlmLayout: ImageLayout = { routing: unrolled, block, joinTags: true, placeholder: '<image>' };
