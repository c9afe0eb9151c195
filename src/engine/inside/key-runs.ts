import type { TokenPlan } from '../../text/types.ts';
import type { AttentionShare, KeyOwner, KeyRun } from './inside-api.ts';

/** Whose the keys of self-attention are: the positions of prompt and answer. */
export function selfKeys(plan: TokenPlan, answerTokens: number, isThumbnail: (tile: number) => boolean): KeyRun[] {
  const runs: KeyRun[] = [{ owner: 'first', start: 0, end: 1 }];
  for (const { kind, start, end, tile } of plan.segments) {
    const from = Math.max(start, 1);
    if (from >= end) continue;
    if (kind === 'visual') runs.push({ owner: isThumbnail(tile!) ? 'thumbnail' : 'tile', tile: tile!, start: from, end });
    else if (kind === 'tag') runs.push({ owner: kind, tile, start: from, end });
    // Earlier answers of the conversation are text like any other.
    else runs.push({ owner: 'text', start: from, end });
  }
  const length = plan.inputIds.length;
  if (answerTokens > 0) runs.push({ owner: 'answer', start: length, end: length + answerTokens });
  return runs;
}

/** Whose the keys of gated cross-attention are: a tile after the other, in H its tag before it. */
export function crossKeys(plan: TokenPlan, isThumbnail: (tile: number) => boolean): KeyRun[] {
  const runs: KeyRun[] = [];
  let at = 0;
  plan.crossTiles.forEach((tile, n) => {
    const tags = plan.crossTagIds[n]?.length ?? 0;
    if (tags > 0) runs.push({ owner: 'tag', tile, start: at, end: at + tags });
    at += tags;
    runs.push({ owner: isThumbnail(tile) ? 'thumbnail' : 'tile', tile, start: at, end: at + plan.tokensPerTile });
    at += plan.tokensPerTile;
  });
  return runs;
}

const ORDER: readonly KeyOwner[] = ['first', 'text', 'tag', 'tile', 'thumbnail', 'answer'];

/**
 * One row of attention, added up by owner: tags together, every tile by itself. The shares of a row sum to one, or to zero where it
 * sees nothing.
 *
 * @param weights [keys]
 */
export function sharesOf(weights: ArrayLike<number>, runs: readonly KeyRun[]): AttentionShare[] {
  const shares = new Map<string, AttentionShare>();
  for (const { owner, tile, start, end } of runs) {
    const key = owner === 'tile' ? `tile ${tile}` : owner;
    let entry = shares.get(key);
    if (!entry) shares.set(key, (entry = { owner, ...(owner !== 'tag' && tile !== undefined && { tile }), share: 0 }));
    for (let key = start; key < end; key++) entry.share += weights[key]!;
  }
  return [...shares.values()].sort((a, b) => ORDER.indexOf(a.owner) - ORDER.indexOf(b.owner) || (a.tile ?? 0) - (b.tile ?? 0));
}
