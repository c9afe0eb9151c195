import type { TensorInfo } from '@tensorflow/tfjs';

/** Tensors that decide which row sees which key; what is absent hides nothing. */
export interface MaskTensors {
  causal: boolean;
  /** i32 [B], with causal only */
  starts?: TensorInfo;
  /** i32 [B, S] */
  keyMask?: TensorInfo;
  /** i32 [B·T, N] and [B, S], together */
  rowTiles?: TensorInfo;
  keyTiles?: TensorInfo;
}

const NAMES = ['starts', 'keyMask', 'rowTiles', 'keyTiles'] as const;

/** The mask's input buffers by name, in binding order. */
export function maskInputs(mask: MaskTensors): { name: string; tensor: TensorInfo }[] {
  return NAMES.flatMap((name) => {
    const tensor = mask[name];
    return tensor ? [{ name, tensor }] : [];
  });
}

/** Tells masks apart that need different code. */
export function maskKey(mask: MaskTensors): string {
  return [mask.causal ? 'causal' : '', ...maskInputs(mask).map(({ name }) => name)].join(' ');
}

/**
 * WGSL `sees(b, t, s)`, whether row t of entry b sees key s (both in range), and the bounds that causal order sets:
 * `keyLimit(b, t)`, one past the last key that row t may see, and `firstRow(b, s)`, the first row that may see key s.
 */
export function maskCode(mask: MaskTensors): string {
  const start = mask.starts ? 'u32(starts[b])' : '0u';
  const conditions = [];
  if (mask.causal) conditions.push(/* wgsl */ `s <= ${start} + t`);
  if (mask.keyMask) conditions.push(/* wgsl */ `keyMask[b * uniforms.keys + s] == 1`);
  if (mask.keyTiles) conditions.push(/* wgsl */ `seesTile(b * uniforms.rows + t, keyTiles[b * uniforms.keys + s])`);
  const tiles = /* wgsl */ `
    fn seesTile(row : u32, tile : i32) -> bool {
      if (tile < 0) {
        return false;
      }
      return rowTiles[row * uniforms.tiles + u32(tile)] == 1;
    }`;
  return /* wgsl */ `
    ${mask.keyTiles ? tiles : ''}
    fn sees(b : u32, t : u32, s : u32) -> bool {
      return ${conditions.join(' && ') || 'true'};
    }
    fn keyLimit(b : u32, t : u32) -> u32 {
      return ${mask.causal ? `min(uniforms.keys, ${start} + t + 1u)` : 'uniforms.keys'};
    }
    fn firstRow(b : u32, s : u32) -> u32 {
      return ${mask.causal ? `s - min(s, ${start})` : '0u'};
    }
  `;
}
