import { useId, type ReactNode } from 'react';
import type { LoadSettings, MemoryPlan } from '../../engine/api.ts';
import { Button } from '../components/Button.tsx';
import { LoadMeter } from '../components/LoadMeter.tsx';
import { Notice, Problem } from '../components/Notice.tsx';
import { formatBytes, formatCount, formatParameters } from '../format.ts';
import { useApp } from '../state/hooks.ts';
import type { Candidate } from '../state/model-slice.ts';
import { hostWords } from './foreign-model.ts';
import styles from './PlanCard.module.css';

const VERDICTS: Record<MemoryPlan['verdict'], string> = {
  fits: 'Fits',
  'fits-if': 'Fits with other settings',
  'does-not-fit': 'Does not fit',
};
const CONTEXTS = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072];
const PARTS = [
  ['weights', 'Weights'],
  ['kvCache', 'Keys and values'],
  ['activations', 'Activations, about'],
] as const;

/** What a model needs, before any of its weights are fetched, and the button that fetches them. */
export function PlanCard({ candidate }: { candidate: Candidate }) {
  const { id, title, source, settings, plan, planning, error } = candidate;
  const loading = useApp((state) => (state.loading?.id === id ? state.loading : null));
  const failure = useApp((state) => (state.modelError?.id === id ? state.modelError.error : null));
  const entry = useApp((state) => state.models?.find((model) => model.id === id));
  const planModel = useApp((state) => state.planModel);
  const dropCandidate = useApp((state) => state.dropCandidate);
  const selectModel = useApp((state) => state.selectModel);
  const cancelLoad = useApp((state) => state.cancelLoad);
  const isUnasked = !plan && !planning && !error;
  const change = (next: LoadSettings) => void planModel(source, next);
  const isStored = entry !== undefined && entry.storedBytes >= entry.bytes;
  const percent = entry && !isStored ? Math.floor((100 * entry.storedBytes) / entry.bytes) : 0;

  return (
    <article className={styles.card} aria-label={`Plan of ${title}`} aria-busy={planning}>
      <header className={styles.head}>
        <h3>{title}</h3>
        {plan && (
          <span className={styles.verdict} data-verdict={plan.verdict}>
            {VERDICTS[plan.verdict]}
          </span>
        )}
      </header>
      <p className={styles.id}>{id}</p>
      {isUnasked && (
        <p className={styles.about}>
          A link asks for this model. Nothing of it was fetched: whoever made the link chose it, so look at its name. To plan it, its
          configuration, tokenizer and chat template are fetched from {hostWords(source)} and read in this tab.
        </p>
      )}
      {planning && !plan && (
        <p role="status" className={styles.waiting}>
          Reading its configuration and headers; no weights…
        </p>
      )}
      {error && (
        <Problem
          error={error}
          actions={
            <Button size="small" icon="retry" onClick={() => change(settings)}>
              Try again
            </Button>
          }
        />
      )}
      {plan && (
        <>
          <p className={styles.about}>{aboutWords(plan)}</p>
          <Bars plan={plan} />
          {[...plan.warnings, ...plan.problems].map((problem) => (
            <Notice key={problem} tone="warn">
              {problem}
            </Notice>
          ))}
          {plan.settingsThatFit && (
            <p className={styles.suggestion}>
              It fits {settingWords(plan.settingsThatFit, plan)}.{' '}
              <Button size="small" onClick={() => change(plan.settingsThatFit!)}>
                Use this setting
              </Button>
            </p>
          )}
          {!loading && <SettingFields plan={plan} settings={settings} onChange={change} />}
          <p className={styles.about}>{downloadWords(candidate, plan, isStored)}</p>
        </>
      )}
      {loading && <LoadMeter name={title} progress={loading.progress} onCancel={cancelLoad} />}
      {failure && <Problem error={failure} />}
      <div className={styles.actions}>
        {isUnasked ? (
          <Button variant="primary" onClick={() => change(settings)}>
            Look at it
          </Button>
        ) : (
          <Button
            variant="primary"
            icon="download"
            disabled={!plan || planning || loading !== null || plan.verdict === 'does-not-fit'}
            onClick={() => void selectModel(id, settings)}
          >
            {percent > 0 ? `Load: goes on at ${percent} %` : 'Load'}
          </Button>
        )}
        {!loading && (
          <Button variant="quiet" onClick={dropCandidate}>
            Not now
          </Button>
        )}
      </div>
    </article>
  );
}

function Bars({ plan: { bytes, largestBuffer, backend } }: { plan: MemoryPlan }) {
  return (
    <dl className={styles.bars}>
      {PARTS.map(([part, name]) => (
        <div key={part}>
          <dt>{name}</dt>
          <dd>
            <meter aria-label={name} min={0} max={bytes.total} value={bytes[part]} />
            {formatBytes(bytes[part])}
          </dd>
        </div>
      ))}
      <div className={styles.total}>
        <dt>Memory in all, on {backend}</dt>
        <dd>{formatBytes(bytes.total)}</dd>
      </div>
      <div>
        <dt>Largest buffer</dt>
        <dd>
          {formatBytes(largestBuffer.bytes)} <span className={styles.id}>{largestBuffer.name}</span>
        </dd>
      </div>
    </dl>
  );
}

interface SettingFieldsProps {
  plan: MemoryPlan;
  settings: LoadSettings;
  onChange(settings: LoadSettings): void;
}

function SettingFields({ plan, settings, onChange }: SettingFieldsProps) {
  const { quantize } = settings;
  const { longestContext, quantized } = plan.about;
  const contexts = [...CONTEXTS.filter((tokens) => tokens < longestContext), longestContext];
  if (!contexts.includes(plan.settings.contextLength)) contexts.push(plan.settings.contextLength);
  return (
    <div className={styles.fields}>
      <Field label="Precision">
        {(id) => (
          <select
            id={id}
            disabled={quantized}
            value={quantize?.bits ?? ''}
            onChange={({ target }) => {
              const bits = Number(target.value) as 0 | 4 | 8;
              const { quantize: _, ...rest } = settings;
              onChange(bits === 0 ? rest : { ...rest, quantize: { bits, groupSize: quantize?.groupSize ?? 64 } });
            }}
          >
            <option value="">{quantized ? 'quantised already' : 'as published'}</option>
            <option value="8">8 bits</option>
            <option value="4">4 bits</option>
          </select>
        )}
      </Field>
      {quantize && (
        <Field label="Group">
          {(id) => (
            <select
              id={id}
              value={quantize.groupSize}
              onChange={({ target }) =>
                onChange({ ...settings, quantize: { ...quantize, groupSize: Number(target.value) as 32 | 64 | 128 } })
              }
            >
              {[32, 64, 128].map((size) => (
                <option key={size} value={size}>
                  {size} columns
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      <Field label="Longest conversation">
        {(id) => (
          <select
            id={id}
            value={plan.settings.contextLength}
            onChange={({ target }) => onChange({ ...settings, contextLength: Number(target.value) })}
          >
            {contexts
              .sort((a, b) => a - b)
              .map((tokens) => (
                <option key={tokens} value={tokens}>
                  {formatCount(tokens)} tokens
                </option>
              ))}
          </select>
        )}
      </Field>
    </div>
  );
}

function Field({ label, children }: { label: string; children(id: string): ReactNode }) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      {children(id)}
    </div>
  );
}

function aboutWords({ about }: MemoryPlan): string {
  const { parameters, takesPictures, family, maxTiles, tileSize, longestContext } = about;
  const sees = takesPictures ? `${family.title}, pictures of up to ${maxTiles} tiles of ${tileSize} px` : 'text alone, no pictures';
  return `${formatParameters(parameters)} parameters; ${sees}; made for ${formatCount(longestContext)} tokens.`;
}

function downloadWords({ source }: Candidate, plan: MemoryPlan, isStored: boolean): string {
  const { download, freeQuota, canBeStored } = plan;
  const size = formatBytes(download);
  if (source.kind === 'files') return `${size} are read from your disk each time; nothing is copied or uploaded.`;
  if (source.kind === 'run') return `${size} are read from this browser’s storage.`;
  if (isStored) return `${size} are kept in this browser: nothing is downloaded, unless there is a newer version.`;
  if (canBeStored === null) return `Downloads ${size}.`;
  return canBeStored
    ? `Downloads ${size} once and keeps them in this browser, which has ${formatBytes(freeQuota!)} free.`
    : `Downloads ${size}. This browser has only ${formatBytes(freeQuota!)} free, so they are not kept.`;
}

function settingWords({ quantize, contextLength }: LoadSettings, { settings }: MemoryPlan): string {
  const words = [];
  if (quantize && quantize.bits !== settings.quantize?.bits) words.push(`in ${quantize.bits} bits`);
  if (contextLength !== undefined && contextLength !== settings.contextLength) {
    words.push(`with conversations of ${formatCount(contextLength)} tokens`);
  }
  return words.join(', ');
}
