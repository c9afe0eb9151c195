import { useId, useState, type ReactNode } from 'react';
import styles from './fields.module.css';

interface FieldProps {
  label: string;
  hint?: ReactNode;
  /** What is wrong with the value. */
  problem?: string;
}

interface NumberFieldProps extends FieldProps {
  value: number;
  onChange(value: number): void;
  min?: number;
  max?: number;
  /** Keeps the form from being sent without a number. */
  required?: boolean;
  /** Between two presses of an arrow key. */
  step?: number | 'any';
  unit?: string;
}

/** A number that may be half typed: the form hears NaN until it is one. */
export function NumberField({ label, hint, problem, value, onChange, unit, step = 'any', ...limits }: NumberFieldProps) {
  const id = useId();
  const [typed, setTyped] = useState<{ text: string; value: number } | null>(null);
  const same = typed !== null && (Object.is(typed.value, value) || typed.value === value);
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <span className={styles.entry}>
        <input
          id={id}
          type="number"
          inputMode="decimal"
          {...limits}
          step={step}
          value={same ? typed.text : Number.isNaN(value) ? '' : String(value)}
          aria-invalid={problem ? true : undefined}
          aria-describedby={`${id}-words`}
          onChange={({ target }) => {
            setTyped({ text: target.value, value: target.valueAsNumber });
            onChange(target.valueAsNumber);
          }}
          onBlur={() => setTyped(null)}
        />
        {unit && <span className={styles.unit}>{unit}</span>}
      </span>
      <Words id={`${id}-words`} hint={hint} problem={problem} />
    </div>
  );
}

export function TextField({
  label,
  hint,
  problem,
  value,
  placeholder,
  onChange,
}: FieldProps & { value: string; placeholder?: string; onChange(value: string): void }) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="text"
        maxLength={4000}
        spellCheck={false}
        value={value}
        placeholder={placeholder}
        aria-invalid={problem ? true : undefined}
        aria-describedby={`${id}-words`}
        onChange={({ target }) => onChange(target.value)}
      />
      <Words id={`${id}-words`} hint={hint} problem={problem} />
    </div>
  );
}

export function SelectField<T extends string>({
  label,
  hint,
  problem,
  value,
  options,
  onChange,
}: FieldProps & { value: T; options: readonly { value: T; label: string }[]; onChange(value: T): void }) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        value={value}
        aria-describedby={`${id}-words`}
        onChange={({ target }) => onChange(options.find((option) => option.value === target.value)!.value)}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
      <Words id={`${id}-words`} hint={hint} problem={problem} />
    </div>
  );
}

export function CheckField({ label, hint, checked, onChange }: FieldProps & { checked: boolean; onChange(on: boolean): void }) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label>
        <input type="checkbox" checked={checked} aria-describedby={`${id}-words`} onChange={({ target }) => onChange(target.checked)} />{' '}
        {label}
      </label>
      <Words id={`${id}-words`} hint={hint} />
    </div>
  );
}

function Words({ id, hint, problem }: { id: string; hint?: ReactNode; problem?: string }) {
  return (
    <p id={id} className={problem ? styles.problem : styles.hint}>
      {problem ?? hint}
    </p>
  );
}
