import { gpuAdapterName } from '../gpu-adapter-name.ts';
import { Button } from '../components/Button.tsx';
import { LoadMeter } from '../components/LoadMeter.tsx';
import { Notice, Problem } from '../components/Notice.tsx';
import { Segmented } from '../components/Segmented.tsx';
import type { ModelEntry } from '../../engine/api.ts';
import { PlanCard } from '../models/PlanCard.tsx';
import { hrefFor, useRoute } from '../router.ts';
import { useApp } from '../state/hooks.ts';
import { isBundledId, titleOf } from '../state/model-slice.ts';
import { useAdapterControl } from './AdapterControl.tsx';
import styles from './ModelBar.module.css';

/** What is switched between before the engine has said what there is. */
const EXPECTED_MODELS: Choice[] = [
  { id: 'nano-d', title: 'nano-d' },
  { id: 'nano-x', title: 'nano-x' },
  { id: 'nano-h', title: 'nano-h' },
];

/** Which model answers: switch, progress of its load, and what stands in the way. */
export function ModelBar() {
  const models: Choice[] = useApp((state) => state.models) ?? EXPECTED_MODELS;
  const selected = useApp((state) => state.selectedModel);
  const loaded = useApp((state) => state.loadedModel);
  const loading = useApp((state) => state.loading);
  const failure = useApp((state) => state.modelError);
  const selectModel = useApp((state) => state.selectModel);
  const openModel = useApp((state) => state.openModel);
  const candidate = useApp((state) => state.candidate);
  const cancelLoad = useApp((state) => state.cancelLoad);
  const device = useApp((state) => state.device);
  const switching = useApp((state) => state.switchingTo !== null);
  const turns = useApp((state) => state.turns.length);
  const newChat = useApp((state) => state.newChat);
  const adapters = useAdapterControl();
  const entry = models.find((model) => model.id === selected);

  return (
    <div className={styles.bar}>
      <div className={styles.row}>
        <Segmented
          legend="Model"
          value={selected}
          options={choices(models, selected).map(({ id, title, family }) => ({
            value: id,
            label: title,
            hint: familyWords(family),
          }))}
          onChange={(id) => void openModel(id)}
        />
        <p className={`${styles.architecture} ${styles.words}`}>{familyWords(entry?.family)}</p>
        {adapters.button}
        <Button icon="plus" variant="quiet" size="small" disabled={turns === 0} onClick={newChat}>
          New chat
        </Button>
      </div>
      {adapters.panel}
      {loading && <LoadMeter name={titleOf(loading.id)} progress={loading.progress} onCancel={cancelLoad} />}
      {!loading && !device && switching && <p className={styles.architecture}>Starting the engine and opening a device…</p>}
      {candidate?.id === selected && !loading && <PlanCard candidate={candidate} />}
      {!loading && !failure && candidate?.id !== selected && loaded?.entry.id !== selected && <NotLoaded />}
      {failure && candidate?.id !== failure.id && (
        <Problem
          error={failure.error}
          actions={
            <Button size="small" icon="retry" onClick={() => void selectModel(failure.id)}>
              Load {titleOf(failure.id)} again
            </Button>
          }
        />
      )}
      <SoftwareAdapterWarning />
    </div>
  );
}

type Choice = Pick<ModelEntry, 'id' | 'title'> & Partial<Pick<ModelEntry, 'family'>>;

/** Unknown until the engine has said what there is. */
function familyWords(family: ModelEntry['family'] | undefined): string | undefined {
  return family && `${family.title}: ${family.words}`;
}

/** All that are here, and the one that a link has named. */
function choices(models: Choice[], selected: string): Choice[] {
  if (isBundledId(selected) || models.some(({ id }) => id === selected)) return models;
  return [...models, { id: selected, title: titleOf(selected) }];
}

function NotLoaded() {
  const id = useApp((state) => state.selectedModel);
  const device = useApp((state) => state.device);
  const openModel = useApp((state) => state.openModel);
  if (!device) return null;
  return (
    <div className={styles.row}>
      <p className={styles.architecture}>{titleOf(id)} is not loaded.</p>
      <Button size="small" onClick={() => void openModel(id)}>
        Load
      </Button>
    </div>
  );
}

function SoftwareAdapterWarning() {
  const route = useRoute();
  const device = useApp((state) => state.device);
  const openDevice = useApp((state) => state.openDevice);
  if (!device?.adapter?.software) return null;
  return (
    <Notice
      tone="warn"
      actions={
        <>
          <Button size="small" onClick={() => void openDevice('wasm')}>
            Switch to wasm
          </Button>
          <a href={hrefFor('device', route)}>About this device</a>
        </>
      }
    >
      <p>
        <strong>WebGPU runs on a software GPU adapter here</strong> ({gpuAdapterName(device.adapter)}): the processor imitates a graphics
        card, some thirty times slower than wasm.
      </p>
    </Notice>
  );
}
