import { isBundledId } from '../state/model-slice.ts';
import { useApp } from '../state/hooks.ts';
import { onePictureOf } from '../state/image-slice.ts';

export interface ModelKind {
  bundled: boolean;
  takesPictures: boolean;
  /** Why a conversation has one picture alone; null where several may stand in it. */
  onePicture: string | null;
}

/** What the selected model is, as far as Chat changes with it. Unknown models are taken to see, one picture at a time. */
export function useModelKind(): ModelKind {
  const bundled = useApp((state) => isBundledId(state.selectedModel));
  const takesPictures = useApp((state) => {
    const { selectedModel, loadedModel, candidate, models } = state;
    if (loadedModel?.entry.id === selectedModel) return loadedModel.entry.takesPictures;
    if (candidate?.id === selectedModel && candidate.plan) return candidate.plan.about.takesPictures;
    return models?.find(({ id }) => id === selectedModel)?.takesPictures ?? true;
  });
  const onePicture = useApp(onePictureOf);
  return { bundled, takesPictures, onePicture };
}
