import type { ReactNode } from 'react';
import type { ComposeForm, TypedBar } from '../../desk/compose/form.ts';
import type { TypedItem } from '../../desk/compose/receipt.ts';
import { Button, IconButton } from '../components/Button.tsx';
import styles from './ComposeFields.module.css';
import { COLOUR_NAMES } from './desk-names.ts';

const MOST_ROWS = 6;

export function NoteField({ value, onChange }: { value: string; onChange(value: string): void }) {
  return (
    <label className={styles.field}>
      One word, number or code a line: A–Z, 0–9 and the point
      <textarea
        rows={4}
        maxLength={200}
        spellCheck={false}
        autoCapitalize="characters"
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </label>
  );
}

interface ReceiptFieldsProps {
  items: TypedItem[];
  total: boolean;
  onChange(patch: Partial<ComposeForm>): void;
}

export function ReceiptFields({ items, total, onChange }: ReceiptFieldsProps) {
  const change = (index: number, patch: Partial<TypedItem>) => onChange({ items: patched(items, index, patch) });
  return (
    <div className={styles.rows}>
      <Rows
        name="item"
        count={items.length}
        onAdd={() => onChange({ items: [...items, { name: '', price: '' }] })}
        onRemove={(index) => onChange({ items: items.filter((_, i) => i !== index) })}
      >
        {(index) => (
          <>
            <input
              aria-label={`Name of item ${index + 1}`}
              placeholder="NAME"
              maxLength={20}
              autoCapitalize="characters"
              spellCheck={false}
              value={items[index]!.name}
              onChange={(event) => change(index, { name: event.target.value })}
            />
            <input
              aria-label={`Price of item ${index + 1}`}
              className={styles.short}
              placeholder="0.00"
              inputMode="decimal"
              maxLength={8}
              value={items[index]!.price}
              onChange={(event) => change(index, { price: event.target.value })}
            />
          </>
        )}
      </Rows>
      <label className={styles.check}>
        <input type="checkbox" checked={total} onChange={(event) => onChange({ total: event.target.checked })} /> with the total
      </label>
    </div>
  );
}

export function ChartFields({ bars, onChange }: { bars: TypedBar[]; onChange(bars: TypedBar[]): void }) {
  const change = (index: number, patch: Partial<TypedBar>) => onChange(patched(bars, index, patch));
  const freeLetter = () => [...'ABCDEFGHJKLMNPQRSTUVWXYZ'].find((letter) => bars.every((bar) => bar.label.toUpperCase() !== letter)) ?? '';
  return (
    <div className={styles.rows}>
      <Rows
        name="bar"
        count={bars.length}
        onAdd={() => onChange([...bars, { label: freeLetter(), height: '4', colour: COLOUR_NAMES[bars.length % COLOUR_NAMES.length]! }])}
        onRemove={(index) => onChange(bars.filter((_, i) => i !== index))}
      >
        {(index) => (
          <>
            <input
              aria-label={`Letter of bar ${index + 1}`}
              className={styles.letter}
              maxLength={1}
              autoCapitalize="characters"
              value={bars[index]!.label}
              onChange={(event) => change(index, { label: event.target.value })}
            />
            <input
              aria-label={`Height of bar ${index + 1}, 1 to 7`}
              className={styles.short}
              type="number"
              min={1}
              max={7}
              value={bars[index]!.height}
              onChange={(event) => change(index, { height: event.target.value })}
            />
            <select
              aria-label={`Colour of bar ${index + 1}`}
              value={bars[index]!.colour}
              onChange={(event) => change(index, { colour: event.target.value as TypedBar['colour'] })}
            >
              {COLOUR_NAMES.map((colour) => (
                <option key={colour}>{colour}</option>
              ))}
            </select>
          </>
        )}
      </Rows>
    </div>
  );
}

interface RowsProps {
  name: string;
  count: number;
  children(index: number): ReactNode;
  onAdd(): void;
  onRemove(index: number): void;
}

function Rows({ name, count, children, onAdd, onRemove }: RowsProps) {
  return (
    <>
      {Array.from({ length: count }, (_, index) => (
        <div key={index} className={styles.row} role="group" aria-label={`${name} ${index + 1}`}>
          {children(index)}
          <IconButton icon="close" label={`Remove ${name} ${index + 1}`} disabled={count === 1} onClick={() => onRemove(index)} />
        </div>
      ))}
      <Button size="small" variant="quiet" icon="plus" disabled={count >= MOST_ROWS} onClick={onAdd}>
        Add {name}
      </Button>
    </>
  );
}

function patched<T>(rows: T[], index: number, patch: Partial<T>): T[] {
  return rows.map((row, i) => (i === index ? { ...row, ...patch } : row));
}
