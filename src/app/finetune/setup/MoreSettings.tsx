import type { AdapterEntry } from '../../../engine/runs/training-api.ts';
import type { FormProblems, NumberSetting, RunForm } from './run-form.ts';
import { DECODER_TARGETS } from '../../../nvlm/lora-targets.ts';
import { BOUNDS } from './run-form.ts';
import { ofOptimizer } from './presets.ts';
import { CheckField, NumberField, SelectField, TextField } from './fields.tsx';
import styles from './SetupStep.module.css';

interface MoreSettingsProps {
  /** Those that a run can begin with. */
  adapters: readonly AdapterEntry[];
  form: RunForm;
  problems: FormProblems;
  onChange(patch: Partial<RunForm>): void;
}

/** The rest of the run file, by what it decides. */
export function MoreSettings({ adapters, form, problems, onChange }: MoreSettingsProps) {
  const number = (name: NumberSetting, label: string, hint?: string) => (
    <NumberField
      label={label}
      hint={hint}
      problem={problems[name]}
      value={form[name]}
      min={BOUNDS[name].min}
      step={BOUNDS[name].whole ? 1 : 'any'}
      onChange={(value) => onChange({ [name]: value })}
    />
  );
  return (
    <details className={styles.more}>
      <summary>More settings</summary>
      {form.method === 'lora' ? (
        <Group title="Adapter">
          <SelectField
            label="Begin with"
            hint={form.init === '' ? undefined : 'Its own rank, alpha and modules stay; it is copied, not changed.'}
            problem={problems.init}
            value={form.init}
            options={[
              { value: '', label: 'A fresh adapter' },
              ...adapters.map(({ id, title }) => ({ value: id, label: title })),
              ...(problems.init ? [{ value: form.init, label: 'An adapter that is gone' }] : []),
            ]}
            onChange={(init) => onChange({ init })}
          />
          {form.init === '' && (
            <>
              {number('rank', 'Rank', 'How much an adapter can hold.')}
              {number('alpha', 'Alpha', 'The adapter counts alpha ÷ rank times.')}
              <TextField
                label="Target modules"
                hint="Ends of module names, with commas between; also mlp1.1, mlp1.3 (connector), cross_attn.q_proj …"
                placeholder={DECODER_TARGETS.join(', ')}
                value={form.targets.join(', ')}
                onChange={(text) => onChange({ targets: listOf(text) })}
              />
            </>
          )}
          {number('dropout', 'Dropout')}
          {form.baseBits !== 'stored' && (
            <SelectField
              label="Group size of the base"
              hint="Values that share a scale: smaller is closer to the original."
              value={form.groupSize}
              options={(['32', '64', '128'] as const).map((value) => ({ value, label: value }))}
              onChange={(groupSize) => onChange({ groupSize })}
            />
          )}
        </Group>
      ) : (
        <Group title="What trains">
          <TextField
            label="Tensors in place of the method’s"
            hint="connector, cross_attention, language_model, or beginnings of tensor names, with commas between."
            placeholder="as the method says"
            value={form.trainable.join(', ')}
            onChange={(text) => onChange({ trainable: listOf(text) })}
          />
        </Group>
      )}
      <Group title="Learning">
        <SelectField
          label="Optimizer"
          hint={
            form.optimizer === 'muon'
              ? 'Matrices of the decoder layers by Muon, the rest by AdamW: fewer steps, each several times as long on small batches.'
              : undefined
          }
          problem={problems.optimizer}
          value={form.optimizer}
          options={[
            { value: 'adamw', label: 'AdamW' },
            { value: 'muon', label: 'Muon' },
          ]}
          onChange={(optimizer) => onChange(ofOptimizer(optimizer, form.method))}
        />
        {form.optimizer === 'muon' && (
          <>
            {number('adamwLearningRate', 'AdamW learning rate', 'Of embeddings, connector, norms and biases.')}
            {number('momentum', 'Muon momentum')}
          </>
        )}
        <SelectField
          label="Schedule"
          value={form.schedule}
          options={[
            { value: 'cosine', label: 'Cosine' },
            { value: 'linear', label: 'Linear' },
            { value: 'constant', label: 'Constant' },
          ]}
          onChange={(schedule) => onChange({ schedule })}
        />
        {number('warmup', 'Warm-up', 'Steps until the full rate.')}
        {number('minLearningRate', 'Lowest learning rate')}
        {number('clip', 'Clip gradients at', 'Global norm; 0 = off.')}
        {number('weightDecay', 'Weight decay', 'Matrices only: norms and gates do not decay.')}
        {number('beta1', 'AdamW β₁')}
        {number('beta2', 'AdamW β₂')}
        {number('epsilon', 'AdamW ε')}
      </Group>
      <Group title="Batches">
        {number('accumulate', 'Batches a step', 'Gradients add up: a larger batch without its memory.')}
        {number('seed', 'Seed', 'The same seed, data and settings give the same run.')}
        {number('textRatio', 'Share of text-only records', '0 = as they come.')}
        {number('maxTiles', 'Most tiles a picture', '0 = the model’s own.')}
        <CheckField label="Shuffle" checked={form.shuffle} onChange={(shuffle) => onChange({ shuffle })} />
        <CheckField
          label="Like lengths together"
          hint="Less padding, so faster with mixed lengths."
          checked={form.bucket}
          onChange={(bucket) => onChange({ bucket })}
        />
        <CheckField
          label="Questions of a picture together"
          hint="A batch then counts pictures, each with up to 8 of its questions, and computes each picture once: faster where pictures have several."
          checked={form.pack}
          onChange={(pack) => onChange({ pack })}
        />
        <CheckField
          label="Activation checkpointing"
          hint="About a quarter less memory, or more with larger batches, for about a quarter more time."
          checked={form.activationCheckpointing}
          onChange={(activationCheckpointing) => onChange({ activationCheckpointing })}
        />
      </Group>
      <Group title="Watching">
        {number('checkpointEvery', 'Checkpoint every', 'Steps; closing the tab loses at most these.')}
        {number('heldOutEvery', 'Held-out loss every', 'Steps; 0 = never.')}
        {number('sampleEvery', 'Sample answers every', 'Steps; 0 = never.')}
        {number('samples', 'Sample questions', 'Of the held-out records, spread evenly over them.')}
      </Group>
    </details>
  );
}

function Group({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <fieldset className={styles.group}>
      <legend>{title}</legend>
      <div className={styles.fields}>{children}</div>
    </fieldset>
  );
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((entry) => entry.trimStart())
    .filter((entry, i, all) => entry !== '' || (i === all.length - 1 && i > 0));
}
