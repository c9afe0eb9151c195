import { Button } from '../components/Button.tsx';
import { LoadMeter } from '../components/LoadMeter.tsx';
import { Problem } from '../components/Notice.tsx';
import { Segmented } from '../components/Segmented.tsx';
import { PlanCard } from '../models/PlanCard.tsx';
import { useApp } from '../state/hooks.ts';
import { titleOf } from '../state/model-slice.ts';

/** Which model is looked into; its load, its plan or what stands in the way. */
export function ModelPick({ onPick }: { onPick: () => void }) {
  const models = useApp((state) => state.models) ?? [];
  const selected = useApp((state) => state.selectedModel);
  const loading = useApp((state) => state.loading);
  const failure = useApp((state) => state.modelError);
  const candidate = useApp((state) => state.candidate);
  const openModel = useApp((state) => state.openModel);
  const selectModel = useApp((state) => state.selectModel);
  const cancelLoad = useApp((state) => state.cancelLoad);
  const choices = models
    .filter(({ id, source, loaded }) => source.kind === 'bundled' || loaded || id === selected)
    .map(({ id, title }) => ({ value: id, label: title }));
  if (!choices.some(({ value }) => value === selected)) choices.push({ value: selected, label: titleOf(selected) });
  return (
    <>
      <Segmented
        legend="Model"
        value={selected}
        options={choices}
        onChange={(id) => {
          onPick();
          void openModel(id);
        }}
      />
      {loading && <LoadMeter name={titleOf(loading.id)} progress={loading.progress} onCancel={cancelLoad} />}
      {candidate?.id === selected && !loading && <PlanCard candidate={candidate} />}
      {failure && candidate?.id !== failure.id && (
        <Problem
          error={failure.error}
          actions={
            <Button size="small" icon="retry" onClick={() => void selectModel(failure.id)}>
              Try again
            </Button>
          }
        />
      )}
    </>
  );
}
