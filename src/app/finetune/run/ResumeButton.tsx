import { useRef } from 'react';
import { modelTitle } from '../../../engine/models/model-address.ts';
import type { RunChanges, RunSummary } from '../../../engine/runs/training-api.ts';
import { Button } from '../../components/Button.tsx';
import { fromInput } from '../../models/picked-files.ts';
import { isTraining } from '../../state/finetune-slice.ts';
import { useApp } from '../../state/hooks.ts';

interface ResumeButtonProps {
  summary: RunSummary;
  /** What it does, e.g. `Resume`. */
  words: string;
  primary?: boolean;
  changes?: RunChanges;
  onGo?(): void;
}

/** Goes on with a run; one whose model was a folder of the visitor's disk asks for the folder when it is not open. */
export function ResumeButton({ summary, words, primary = false, changes, onGo }: ResumeButtonProps) {
  const training = useApp(isTraining);
  const resumeRun = useApp((state) => state.resumeRun);
  const input = useRef<HTMLInputElement>(null);
  const { model } = summary.request;
  const asks = summary.needsModel || model.kind === 'folder';

  function go(folder: FileList | null = null): void {
    const source = fromInput(folder);
    if (asks && !source) return;
    onGo?.();
    void resumeRun(summary.id, changes, source ?? undefined);
  }

  return (
    <>
      <Button
        icon="retry"
        variant={primary ? 'primary' : 'secondary'}
        disabled={training}
        onClick={() => (asks ? input.current?.click() : go())}
      >
        {asks ? `${words} with the model folder “${modelTitle(model)}”…` : words}
      </Button>
      {asks && (
        <input
          ref={(element) => {
            input.current = element;
            // React knows no such property.
            element?.setAttribute('webkitdirectory', '');
          }}
          type="file"
          hidden
          aria-label="Model folder of the run"
          onChange={({ target }) => {
            go(target.files);
            target.value = '';
          }}
        />
      )}
    </>
  );
}
