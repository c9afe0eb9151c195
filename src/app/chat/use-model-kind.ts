import { isBundledId } from '../state/model-slice.ts';
import { useApp } from '../state/hooks.ts';

/** What the selected model is, as far as Chat changes with it. Unknown models are taken to see. */
export function useModelKind(): { bundled: boolean; takesPictures: boolean } {
  const bundled = useApp((state) => isBundledId(state.selectedModel));
  const takesPictures = useApp((state) => {
    const { selectedModel, loadedModel, candidate, models } = state;
    if (loadedModel?.entry.id === selectedModel) return loadedModel.entry.takesPictures;
    if (candidate?.id === selectedModel && candidate.plan) return candidate.plan.about.takesPictures;
    return models?.find(({ id }) => id === selectedModel)?.takesPictures ?? true;
  });
  return { bundled, takesPictures };
}
