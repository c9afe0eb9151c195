import { adapterName } from '../adapter-name.ts';
import { Button } from '../components/Button.tsx';
import { LoadMeter } from '../components/LoadMeter.tsx';
import { Notice, Problem } from '../components/Notice.tsx';
import { Segmented } from '../components/Segmented.tsx';
import type { ModelEntry } from '../../engine/api.ts';
import type { Architecture } from '../../text/types.ts';
import { PlanCard } from '../models/PlanCard.tsx';
import { hrefFor, useRoute } from '../router.ts';
import { useApp } from '../state/hooks.ts';
import { isBundledId, titleOf } from '../state/model-slice.ts';
import { useAdapterControl } from './AdapterControl.tsx';
import styles from './ModelBar.module.css';

const ARCHITECTURE_WORDS: Record<Architecture, string> = {
  NVLM_D: 'NVLM-D: every tile’s tokens stand in the decoder’s sequence',
  NVLM_X: 'NVLM-X: tiles are read through gated cross-attention only',
  NVLM_H: 'NVLM-H: thumbnail in the sequence, tiles through cross-attention',
};

const TEXT_WORDS = 'Text model: it takes no pictures';

/** What is switched between before the engine has said what there is. */
const EXPECTED_MODELS: Choice[] = [
  { id: 'nano-d', title: 'nano-d', architecture: 'NVLM_D' },
  { id: 'nano-x', title: 'nano-x', architecture: 'NVLM_X' },
  { id: 'nano-h', title: 'nano-h', architecture: 'NVLM_H' },
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
          options={choices(models, selected).map(({ id, title, architecture }) => ({
            value: id,
            label: title,
            hint: ARCHITECTURE_WORDS[architecture],
          }))}
          onChange={(id) => void openModel(id)}
        />
        <p className={`${styles.architecture} ${styles.words}`}>
          {entry && (entry.takesPictures === false ? TEXT_WORDS : ARCHITECTURE_WORDS[entry.architecture])}
        </p>
        {adapters.button}
        <Button icon="plus" variant="quiet" size="small" disabled={turns === 0} onClick={newChat}>
          New chat
        </Button>
      </div>
      {adapters.panel}
      {loading && <LoadMeter name={titleOf(loading.id)} progress={loading.progress} onCancel={cancelLoad} />}
      {!loading && !device && switching && (
        <p className={styles.architecture}>Starting the engine and opening a device…</p>
      )}
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

type Choice = Pick<ModelEntry, 'id' | 'title' | 'architecture'> & Partial<Pick<ModelEntry, 'takesPictures'>>;

/** All that are here, and the one that a link has named. */
function choices(models: Choice[], selected: string): Choice[] {
  if (isBundledId(selected) || models.some(({ id }) => id === selected)) return models;
  return [...models, { id: selected, title: titleOf(selected), architecture: 'NVLM_D' }];
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
        <strong>WebGPU runs on a software adapter here</strong> ({adapterName(device.adapter)}): the processor imitates
        a graphics card, some thirty times slower than wasm.
      </p>
    </Notice>
  );
}
