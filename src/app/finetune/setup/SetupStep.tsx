import { useEffect, useState } from 'react';
import type { DatasetSummary } from '../../../datasets/types.ts';
import type { RunRequest } from '../../../engine/runs/training-api.ts';
import { computesPacked } from '../../../device/computes-packed.ts';
import type { DeviceInfo } from '../../../engine/api.ts';
import { toPlainError, type PlainError } from '../../../errors.ts';
import { Button } from '../../components/Button.tsx';
import { Notice, Problem } from '../../components/Notice.tsx';
import { plural } from '../../format.ts';
import { useApp } from '../../state/hooks.ts';
import { isTraining } from '../../state/finetune-slice.ts';
import { openStep } from '../address.ts';
import { dataClient } from '../data/data-client.ts';
import { ensureOldTasks } from '../datasets.ts';
import { CheckField, NumberField, SelectField, TextField } from './fields.tsx';
import { MethodPicture } from './MethodPicture.tsx';
import { MoreSettings } from './MoreSettings.tsx';
import { PlanCard } from './PlanCard.tsx';
import { ofLength, ofMethod, ofModel, PRESETS } from './presets.ts';
import { readRunFile } from './read-run-file.ts';
import { checkForm, modelName, OLD_TASKS_SHARE, toRunFile, type Method, type RunForm } from './run-form.ts';
import { RunFileCard } from './RunFileCard.tsx';
import styles from './SetupStep.module.css';

const METHODS: { method: Method; title: string; words: string; gated?: boolean }[] = [
  {
    method: 'lora',
    title: 'LoRA adapter',
    words: 'A small addition beside the frozen model. Takes the least memory; keep it, share it, switch it off.',
  },
  {
    method: 'decoder',
    title: 'Decoder and connector',
    words:
      'Everything but the vision encoder. Learns most when old abilities are kept, and forgets most without; the result is a model of its own.',
  },
  {
    method: 'connector',
    title: 'Connector only',
    words: 'What the decoder gets to see of a picture; the first stage of the paper.',
  },
  {
    method: 'cross-attention',
    title: 'Gated cross-attention only',
    words: 'How the decoder looks at tiles. NVLM-X and H.',
    gated: true,
  },
];

interface SetupStepProps {
  dataset: string | null;
  /** null while they are being asked for. */
  datasets: DatasetSummary[] | null;
  /** Whether what is made here outlives the tab; a run needs that. */
  lasts: boolean;
  onDataChange(): void;
}

/** Everything to decide before a run, most of it decided already. */
export function SetupStep({ dataset, datasets, lasts, onDataChange }: SetupStepProps) {
  const form = useApp((state) => state.runForm);
  const change = useApp((state) => state.changeRunForm);
  const models = useApp((state) => state.models);
  const startRun = useApp((state) => state.startRun);
  const training = useApp(isTraining);
  const adapters = useApp((state) => state.adapters);
  const refreshAdapters = useApp((state) => state.refreshAdapters);
  const device = useApp((state) => state.device);
  useEffect(() => void refreshAdapters(), [refreshAdapters]);
  const failure = useApp((state) => (state.liveRun?.summary === null ? state.liveRun.error : null));
  const [startError, setStartError] = useState<PlainError | null>(null);
  const [starting, setStarting] = useState(false);
  const data = datasets?.find(({ id }) => id === dataset) ?? null;
  const model = models?.find(({ source }) => modelName(source) === modelName(form.model)) ?? models?.[0];
  const crosses = model?.family.crossAttends ?? false;
  const settled: RunForm = model ? { ...form, model: model.source } : form;
  const problems = checkForm(settled, model?.family ?? null, adapters);
  const [firstProblem] = Object.values(problems);
  const wrong = Object.keys(problems).length;
  const title = form.title.trim() || (data ? `${data.title}, ${modelName(settled.model)}` : 'Run');
  const requestFor = (complete: RunForm): RunRequest => ({
    title,
    model: complete.model,
    run: toRunFile(complete, dataset ?? ''),
    sampleEvery: complete.sampleEvery,
    samples: complete.samples,
    heldOutEvery: complete.heldOutEvery,
  });

  async function start(): Promise<void> {
    setStarting(true);
    setStartError(null);
    try {
      const known = datasets?.some(({ id }) => id === settled.blendData) ?? false;
      const blendData = settled.blendRatio === 0 ? '' : known ? settled.blendData : await ensureOldTasks();
      void startRun(requestFor({ ...settled, blendData }));
    } catch (error) {
      setStartError(toPlainError(error));
    }
    setStarting(false);
  }

  if (dataset === null || (datasets !== null && data === null)) {
    return (
      <Notice
        tone="info"
        actions={
          <Button variant="primary" onClick={() => openStep('data')}>
            Choose data
          </Button>
        }
      >
        <p>A run learns from a dataset: choose one first, or make one.</p>
      </Notice>
    );
  }

  return (
    <div className={styles.columns}>
      <form
        className={styles.form}
        aria-label="Set-up of the run"
        onSubmit={(event) => {
          event.preventDefault();
          if (wrong === 0 && lasts && !training && !starting) void start();
        }}
      >
        <div className={styles.fields}>
          <SelectField
            label="Model"
            value={model?.id ?? ''}
            options={(models ?? []).map(({ id, title }) => ({ value: id, label: title }))}
            onChange={(id) => {
              const chosen = models?.find((entry) => entry.id === id);
              if (chosen) change(ofModel(settled, chosen.source));
            }}
          />
          <TextField
            label="Name of the run"
            value={form.title}
            placeholder={title}
            onChange={(text) => change({ title: text.slice(0, 120) })}
          />
        </div>
        <fieldset className={styles.methods}>
          <legend>What trains</legend>
          {METHODS.filter(({ gated }) => !gated || crosses).map(({ method, title: name, words }) => (
            <label key={method}>
              <input
                type="radio"
                name="method"
                checked={form.method === method}
                onChange={() => change(ofMethod(method, form.optimizer))}
              />
              <MethodPicture method={method} crosses={crosses} />
              <span>
                <strong>{name}</strong>
                <span>{words}</span>
              </span>
            </label>
          ))}
        </fieldset>
        {form.method === 'lora' && (
          <div className={styles.fields}>
            <SelectField
              label="Base weights"
              hint={baseWords(form.baseBits, device)}
              value={form.baseBits}
              options={[
                { value: 'stored', label: 'As stored' },
                { value: '8', label: '8 bits' },
                { value: '4', label: '4 bits (QLoRA)' },
              ]}
              onChange={(baseBits) => change({ baseBits })}
            />
          </div>
        )}
        {problems.method && <p className={styles.problem}>{problems.method}</p>}
        <fieldset className={styles.presets}>
          <legend>How long</legend>
          {PRESETS.map(({ id, title: name, words, steps }) => (
            <label key={id}>
              <input type="radio" name="length" checked={form.steps === steps} onChange={() => change(ofLength(steps))} />
              <span>
                <strong>{name}</strong> {words}
              </span>
            </label>
          ))}
        </fieldset>
        <div className={styles.fields}>
          <NumberField label="Steps" problem={problems.steps} min={1} step={1} value={form.steps} onChange={(steps) => change({ steps })} />
          <NumberField
            label="Learning rate"
            problem={problems.learningRate}
            min={0}
            value={form.learningRate}
            onChange={(learningRate) => change({ learningRate })}
          />
          <NumberField
            label="Batch"
            hint="Records at a time."
            problem={problems.batch}
            min={1}
            step={1}
            value={form.batch}
            onChange={(batch) => change({ batch })}
          />
        </div>
        <CheckField
          label="Keep the old abilities"
          hint="Mixes what the model can do already into every batch: it forgets what it is not shown."
          checked={form.blendRatio > 0}
          onChange={(on) => change({ blendRatio: on ? OLD_TASKS_SHARE : 0, ...(on && { textRatio: 0 }) })}
        />
        {form.blendRatio > 0 && (
          <div className={styles.fields}>
            <SelectField
              label="Old tasks from"
              value={datasets?.some(({ id }) => id === form.blendData) ? form.blendData : ''}
              options={[
                { value: '', label: 'Generated notes, receipts, bars, shapes and text' },
                ...(datasets ?? []).filter(({ id }) => id !== dataset).map(({ id, title: name }) => ({ value: id, label: name })),
              ]}
              onChange={(blendData) => change({ blendData })}
            />
            <NumberField
              label="Share of every batch"
              problem={problems.blendRatio}
              min={0}
              value={form.blendRatio}
              onChange={(blendRatio) => change({ blendRatio })}
            />
          </div>
        )}
        <MoreSettings adapters={adapters ?? []} form={form} problems={problems} onChange={change} />
        <RunFileCard form={form} text={`${JSON.stringify(toRunFile(settled, dataset), null, 2)}\n`} onForm={change} />
        <div className={styles.start}>
          <Button type="submit" variant="primary" disabled={wrong > 0 || !lasts || training || starting || !model}>
            {starting ? 'Starting…' : 'Start the run'}
          </Button>
          <p className={styles.hint}>
            {wrong > 0
              ? `${wrong === 1 ? 'A setting needs' : `${wrong} settings need`} another value: ${firstProblem}`
              : lasts
                ? 'Nothing leaves this browser. It can be paused at any step.'
                : 'A run needs storage, which this browser does not give the page.'}
          </p>
        </div>
        {(startError ?? failure) && <Problem error={(startError ?? failure)!} />}
      </form>
      <aside className={styles.aside}>
        <DataCard data={data} onChange={onDataChange} />
        {lasts && (
          <PlanCard
            request={wrong > 0 || !data || !model ? null : requestFor(settled)}
            onChanges={(changes) => {
              const text = JSON.stringify({ ...toRunFile(settled, dataset), ...changes });
              const { form: fitting } = readRunFile(
                text,
                settled,
                (adapters ?? []).map(({ id }) => id),
              );
              // Generated old tasks are in no run file before the start.
              change({ ...fitting, blendRatio: settled.blendRatio, blendData: settled.blendData });
            }}
            unknown={
              settled.blendRatio > 0 && !datasets?.some(({ id }) => id === settled.blendData)
                ? 'The old tasks are drawn when the run starts and are not in these figures yet.'
                : null
            }
          />
        )}
      </aside>
    </div>
  );
}

/** What packing the base does, on the device at hand. */
function baseWords(bits: RunForm['baseBits'], device: DeviceInfo | null): string {
  if (bits === 'stored') return 'The frozen model that the adapter stands on.';
  const rounded = `The frozen model is rounded to ${bits} bits`;
  return !device || computesPacked(device)
    ? `${rounded} and stays packed in memory; the adapter learns around the rounding.`
    : `${rounded}, and held as 32-bit floats by ${device.backend}: nothing is saved here.`;
}

/** Of every dataset without held-out records, if asked. */
const HELD_OUT_SHARE = 0.2;

function DataCard({ data, onChange }: { data: DatasetSummary | null; onChange(): void }) {
  const [error, setError] = useState<PlainError | null>(null);
  async function holdOut(id: string): Promise<void> {
    try {
      await dataClient.split(id, HELD_OUT_SHARE, 0);
      onChange();
    } catch (reason) {
      setError(toPlainError(reason));
    }
  }
  return (
    <section className={styles.summary} aria-label="Data of the run">
      <h2>Data</h2>
      <p>
        {data ? (
          <>
            <strong>{data.title}</strong>: {plural(data.records - data.heldOut, 'record')} to learn from, {data.heldOut} held out to
            measure.
          </>
        ) : (
          'Reading…'
        )}
      </p>
      {data?.heldOut === 0 && data.records > 1 && (
        <>
          <p className={styles.hint}>Without held-out records nobody can tell learning from memorising.</p>
          <Button size="small" onClick={() => void holdOut(data.id)}>
            Hold out a fifth
          </Button>
        </>
      )}
      <Button size="small" variant="quiet" onClick={() => openStep('data')}>
        Change the data
      </Button>
      {error && <Problem error={error} />}
    </section>
  );
}
