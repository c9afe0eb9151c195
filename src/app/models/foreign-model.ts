import type { ModelSource } from '../../engine/api.ts';
import { parseModelAddress } from '../../engine/models/model-address.ts';
import { useApp } from '../state/hooks.ts';

/** Where a stranger's model lies, in words. */
export function hostWords(source: ModelSource): string {
  return source.kind === 'url' ? new URL(source.url).host : 'the Hugging Face hub';
}

/**
 * The source of a model that only an address names: its files lie on the web, and nobody here has asked for them or said
 * that they may be read. null for every other model, and while it is not known yet which ones are here.
 */
export function useForeignModel(id: string): { source: ModelSource | null; isKnown: boolean } {
  const models = useApp((state) => state.models);
  const agreed = useApp((state) => state.agreedModels);
  const source = parseModelAddress(id);
  const isWeb = source?.kind === 'hub' || source?.kind === 'url';
  if (!isWeb || agreed.includes(id) || models?.some((model) => model.id === id)) return { source: null, isKnown: true };
  return { source: models ? source : null, isKnown: false };
}
