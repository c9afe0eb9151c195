import * as tf from '@tensorflow/tfjs';
import { partOf } from '../names.ts';
import type { LowRankUpdate, Weights } from '../weights.ts';
import { updatesOf, type AdapterModule } from './adapter-modules.ts';

export interface AdapterStrength {
  id: string;
  /** Factor on the adapter's own scale. */
  strength: number;
}

/** What a change of adapters makes stale. */
export interface Stale {
  /** Keys and values of every sequence so far. */
  sequences: boolean;
  /** Features of pictures: an adapter stands on the vision encoder or the connector. */
  images: boolean;
}

/** Those on the device that are not in use; a few megabytes each, so that switching back and forth costs nothing. */
const MOST_IDLE = 8;

/**
 * Adapters that can be put on a model and taken off while it stays where it is. Those that stood on the weights before
 * stay on.
 */
export class AttachedAdapters {
  private readonly held = new Map<string, ReadonlyMap<string, LowRankUpdate>>();
  private readonly fixed: ReadonlyMap<string, readonly LowRankUpdate[]>;
  private inUse: readonly AdapterStrength[] = [];

  constructor(private readonly weights: Weights) {
    this.fixed = new Map(weights.updates);
  }

  has(id: string): boolean {
    return this.held.has(id);
  }

  /** @throws NvlmError `bad-model` when it belongs to a model of other widths */
  add(id: string, modules: readonly AdapterModule[]): void {
    this.held.set(id, updatesOf(this.weights, modules));
  }

  /** Puts exactly these on, all of which must have been added. Strength 0 is the same as leaving it out. */
  use(wanted: readonly AdapterStrength[]): Stale {
    const next = wanted.filter(({ strength }) => strength !== 0);
    const changed = next.length !== this.inUse.length || next.some((one, i) => !same(one, this.inUse[i]!));
    if (!changed) return { sequences: false, images: false };
    const before = new Map(this.inUse.map(({ id, strength }) => [id, strength]));
    const after = new Map(next.map(({ id, strength }) => [id, strength]));
    const touched = [...new Set([...before.keys(), ...after.keys()])].filter((id) => before.get(id) !== after.get(id));
    const images = touched.some((id) => [...(this.held.get(id)?.keys() ?? [])].some(readsPictures));
    this.inUse = next.map((one) => ({ ...one }));
    this.place();
    this.trim();
    return { sequences: true, images };
  }

  /** Frees one adapter's matrices. */
  remove(id: string): Stale {
    const stale = this.use(this.inUse.filter((one) => one.id !== id));
    this.free(id);
    return stale;
  }

  dispose(): void {
    for (const id of [...this.held.keys()]) this.free(id);
  }

  private place(): void {
    const { updates } = this.weights;
    updates.clear();
    for (const [module, standing] of this.fixed) updates.set(module, [...standing]);
    for (const { id, strength } of this.inUse) {
      const adapter = this.held.get(id);
      if (!adapter) throw new Error(`Adapter ${id} was not added.`);
      // The last used is the last to go.
      this.held.delete(id);
      this.held.set(id, adapter);
      for (const [module, update] of adapter) {
        updates.set(module, [...(updates.get(module) ?? []), { ...update, scale: update.scale * strength }]);
      }
    }
  }

  private trim(): void {
    const idle = [...this.held.keys()].filter((id) => !this.inUse.some((one) => one.id === id));
    for (const id of idle.slice(0, Math.max(0, idle.length - MOST_IDLE))) this.free(id);
  }

  private free(id: string): void {
    for (const { a, b } of this.held.get(id)?.values() ?? []) tf.dispose([a, b].filter((side) => !side.isDisposed));
    this.held.delete(id);
  }
}

function same(a: AdapterStrength, b: AdapterStrength): boolean {
  return a.id === b.id && a.strength === b.strength;
}

function readsPictures(module: string): boolean {
  return ['connector', 'vision_encoder'].includes(partOf(module));
}
