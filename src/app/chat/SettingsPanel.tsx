import { useId, type ReactNode } from 'react';
import { Button } from '../components/Button.tsx';
import { useApp } from '../state/hooks.ts';
import { isBundledId } from '../state/model-slice.ts';
import { LONGEST_SYSTEM, maxTilesFor, SETTING_BOUNDS, type ChatSettings } from '../state/settings-slice.ts';
import styles from './SettingsPanel.module.css';

type RangeName = 'temperature' | 'maxNewTokens' | 'topK' | 'topP' | 'repetitionPenalty';

/** How answers are drawn from what the model thinks. */
export function SettingsPanel() {
  const settings = useApp((state) => state.chatSettings);
  const change = useApp((state) => state.changeChatSettings);
  const reset = useApp((state) => state.resetChatSettings);
  const bundled = useApp((state) => isBundledId(state.selectedModel));
  const greedy = settings.temperature === 0;
  const range = (name: RangeName, label: string, words: (value: number) => string, disabled = false) => (
    <Range name={name} label={label} value={settings[name]} words={words} disabled={disabled} onChange={change} />
  );
  return (
    <fieldset className={styles.panel}>
      <legend className="unseen">Settings of the answer</legend>
      {range('temperature', 'Temperature', (value) => (value === 0 ? '0, greedy' : value.toFixed(2)))}
      {range('maxNewTokens', 'Longest answer', (value) => `${value} tokens`)}
      <TilesField />
      <SystemField text={settings.system} onChange={(system) => change({ system })} />
      <Check
        label="Send earlier turns along"
        hint={
          bundled
            ? 'nano was never shown a second turn: it answers best when each question stands alone.'
            : 'Without them each question stands alone.'
        }
        checked={settings.remember ?? !bundled}
        onChange={(remember) => change({ remember })}
      />
      <details className={styles.more}>
        <summary>More</summary>
        <div className={styles.grid}>
          {range('topK', 'Top-k', (value) => (value === 0 ? 'off' : String(value)), greedy)}
          {range('topP', 'Top-p', (value) => (value === 1 ? 'off' : value.toFixed(2)), greedy)}
          {range('repetitionPenalty', 'Repetition penalty', (value) => (value === 1 ? 'off' : value.toFixed(2)))}
          <SeedField seed={settings.seed} disabled={greedy} onChange={(seed) => change({ seed })} />
        </div>
        {greedy && <p className={styles.hint}>Top-k, top-p and the seed matter once the temperature is above 0.</p>}
        <Button size="small" variant="quiet" icon="retry" onClick={reset}>
          Back to the first settings
        </Button>
      </details>
    </fieldset>
  );
}

interface RangeProps {
  name: RangeName;
  label: string;
  value: number;
  words(value: number): string;
  disabled: boolean;
  onChange(patch: Partial<ChatSettings>): void;
}

function Range({ name, label, value, words, disabled, onChange }: RangeProps) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <output htmlFor={id}>{words(value)}</output>
      <input
        id={id}
        type="range"
        {...SETTING_BOUNDS[name]}
        value={value}
        disabled={disabled}
        aria-valuetext={words(value)}
        onChange={(event) => onChange({ [name]: event.target.valueAsNumber })}
      />
    </div>
  );
}

/** Fewer tiles are sooner seen; there is nothing to choose before a model is there. */
function TilesField() {
  const id = useId();
  const settings = useApp((state) => state.chatSettings);
  const change = useApp((state) => state.changeChatSettings);
  const most = useApp(({ loadedModel }) => (loadedModel?.entry.takesPictures ? loadedModel.maxTiles : null));
  if (most === null || most < 2) return null;
  const value = maxTilesFor(settings, { maxTiles: most }) ?? most;
  const words = value === most ? `${most}, as the model has it` : String(value);
  return (
    <div className={styles.field}>
      <label htmlFor={id}>Most tiles</label>
      <output htmlFor={id}>{words}</output>
      <input
        id={id}
        type="range"
        min={1}
        max={most}
        step={1}
        value={value}
        aria-valuetext={words}
        onChange={({ target }) => change({ maxTiles: target.valueAsNumber < most ? target.valueAsNumber : null })}
      />
    </div>
  );
}

function SystemField({ text, onChange }: { text: string; onChange(text: string): void }) {
  const id = useId();
  return (
    <div className={`${styles.field} ${styles.wide}`}>
      <label htmlFor={id}>System prompt</label>
      <textarea
        id={id}
        rows={2}
        maxLength={LONGEST_SYSTEM}
        value={text}
        placeholder="What the model’s own template says"
        onChange={({ target }) => onChange(target.value)}
      />
    </div>
  );
}

function SeedField({ seed, disabled, onChange }: { seed: number | null; disabled: boolean; onChange(seed: number | null): void }) {
  const id = useId();
  const { min, max, step } = SETTING_BOUNDS.seed;
  return (
    <div className={styles.field}>
      <label htmlFor={id}>Seed</label>
      <input
        id={id}
        type="number"
        inputMode="numeric"
        {...{ min, max, step }}
        value={seed ?? ''}
        placeholder="another each time"
        disabled={disabled}
        onChange={(event) => {
          const value = event.target.valueAsNumber;
          onChange(Number.isInteger(value) && value >= min && value <= max ? value : null);
        }}
      />
    </div>
  );
}

function Check({ label, hint, checked, onChange }: { label: ReactNode; hint: string; checked: boolean; onChange(on: boolean): void }) {
  const id = useId();
  return (
    <div className={styles.check}>
      <label>
        <input type="checkbox" checked={checked} aria-describedby={id} onChange={(event) => onChange(event.target.checked)} /> {label}
      </label>
      <p id={id} className={styles.hint}>
        {hint}
      </p>
    </div>
  );
}
