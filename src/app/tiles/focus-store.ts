import { create } from 'zustand';
import type { TokenRef } from './token-lane.ts';

/** Letter of an architecture that is compared. */
export type ArchitectureId = string;

/** What pointer or keyboard is on. Its own store, so that moving a pointer redraws highlights and nothing else. */
export interface FocusState {
  /** Tile that is lit, wherever it is drawn. */
  tile: number | null;
  /** Visual token of that tile, row-major over its token grid. */
  cell: number | null;
  /** The very token, when one was pointed at in a lane. */
  token: (TokenRef & { architecture: ArchitectureId }) | null;
  /** Grid drawn over the picture instead of the chosen one, to try a candidate. */
  preview: { cols: number; rows: number } | null;
  /** Tile that is shown enlarged. */
  enlarged: number | null;
}

const NOTHING = { tile: null, cell: null, token: null };

export const useFocus = create<FocusState>()(() => ({ ...NOTHING, preview: null, enlarged: null }));

export function focusTile(tile: number, cell: number | null = null): void {
  const now = useFocus.getState();
  if (now.tile === tile && now.cell === cell && now.token === null) return;
  useFocus.setState({ tile, cell, token: null });
}

export function focusToken(architecture: ArchitectureId, token: TokenRef): void {
  const now = useFocus.getState().token;
  if (now && now.architecture === architecture && now.lane === token.lane && now.position === token.position) return;
  useFocus.setState({ tile: token.tile, cell: token.cell, token: { ...token, architecture } });
}

export function clearFocus(): void {
  useFocus.setState(NOTHING);
}

export function previewGrid(preview: FocusState['preview']): void {
  useFocus.setState({ preview });
}

export function enlargeTile(enlarged: number | null): void {
  useFocus.setState(enlarged === null ? { enlarged } : { enlarged, tile: enlarged, cell: null, token: null });
}

/** For a new picture or another cut: what was pointed at is gone. */
export function resetFocus(): void {
  useFocus.setState({ ...NOTHING, preview: null, enlarged: null });
}
