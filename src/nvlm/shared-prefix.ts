import type { Sample } from './model.ts';

/** Half of a sample's sequence: positions `from` up to, not with, `to`. */
export interface Piece {
  /** Index of the sample. */
  sample: number;
  from: number;
  to: number;
}

/**
 * Sequences cut where those about one picture part: what they begin with in common is there once, and each goes on in a block of its
 * own that sees the beginning and itself.
 */
export interface SharedPrefixes {
  prefixes: Piece[];
  blocks: (Piece & {
    /** Which prefix it goes on from. */
    prefix: number;
  })[];
  /** Rows of each prefix, padding with them: the longest. */
  prefixLength: number;
  blockLength: number;
  /** For each sample its prefix, and its block or −1. */
  places: { prefix: number; block: number }[];
}

interface PlannedSample {
  /** Of its picture: equal for equal pictures. */
  features: object | null;
  plan: Pick<Sample['plan'], 'inputIds' | 'crossTiles' | 'crossMask'>;
}

/** Samples share a picture when they have the same `features` tensor. Those without share nothing. */
export function sharePrefixes(samples: readonly PlannedSample[]): SharedPrefixes {
  const groups: number[][] = [];
  const byPicture = new Map<object, number[]>();
  samples.forEach(({ features }, i) => {
    const group = features && byPicture.get(features);
    if (group) group.push(i);
    else {
      const fresh = [i];
      groups.push(fresh);
      if (features) byPicture.set(features, fresh);
    }
  });
  const shared: SharedPrefixes = {
    prefixes: [],
    blocks: [],
    prefixLength: 0,
    blockLength: 0,
    places: samples.map(() => ({ prefix: 0, block: -1 })),
  };
  for (const [prefix, group] of groups.entries()) {
    const first = group[0]!;
    const to = group.length === 1 ? lengthOf(samples[first]!) : commonLength(group.map((i) => samples[i]!.plan));
    shared.prefixes.push({ sample: first, from: 0, to });
    shared.prefixLength = Math.max(shared.prefixLength, to);
    for (const sample of group) {
      shared.places[sample]!.prefix = prefix;
      if (group.length === 1) continue;
      shared.places[sample]!.block = shared.blocks.length;
      const end = lengthOf(samples[sample]!);
      shared.blocks.push({ sample, prefix, from: to, to: end });
      shared.blockLength = Math.max(shared.blockLength, end - to);
    }
  }
  return shared;
}

/** Row of a sample's position among all prefixes' rows and, behind them, all blocks'. */
export function sharedRow({ prefixes, prefixLength, blockLength, places }: SharedPrefixes, sample: number, position: number): number {
  const { prefix, block } = places[sample]!;
  const { to } = prefixes[prefix]!;
  if (position < to) return prefix * prefixLength + position;
  return prefixes.length * prefixLength + block * blockLength + position - to;
}

/** Rows that are computed, padding with them. */
export function sharedRows({ prefixes, blocks, prefixLength, blockLength }: SharedPrefixes): number {
  return prefixes.length * prefixLength + blocks.length * blockLength;
}

/** Positions that are computed of all samples, padding not counted. */
export function sharedPositions({ prefixes, blocks }: SharedPrefixes): number {
  return [...prefixes, ...blocks].reduce((sum, { from, to }) => sum + to - from, 0);
}

function lengthOf({ plan }: PlannedSample): number {
  return plan.inputIds.length;
}

/** Positions at which all have the same token and see the same tiles; at least one position of each is left over. */
function commonLength(plans: readonly PlannedSample['plan'][]): number {
  const [first, ...others] = plans;
  const most = Math.min(...plans.map(({ inputIds }) => inputIds.length)) - 1;
  const tiles = first!.crossTiles.length;
  const isSame = (other: PlannedSample['plan'], at: number) => {
    if (other.inputIds[at] !== first!.inputIds[at]) return false;
    for (let i = at * tiles; i < (at + 1) * tiles; i++) if (other.crossMask[i] !== first!.crossMask[i]) return false;
    return true;
  };
  let length = 0;
  while (length < most && others.every((other) => isSame(other, length))) length++;
  return length;
}
