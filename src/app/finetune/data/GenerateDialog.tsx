import { useState } from 'react';
import type { GenerateRequest, LessonName } from '../../../datasets/types.ts';
import { Button } from '../../components/Button.tsx';
import { Dialog } from '../../components/Dialog.tsx';
import { NumberField, SelectField } from '../setup/fields.tsx';
import styles from './dialogs.module.css';

const KINDS = [
  ['note', 'Notes'],
  ['receipt', 'Receipts'],
  ['shapes', 'Shapes'],
  ['chart', 'Bar charts'],
  ['text', 'Text only'],
] as const;

const MOST_PICTURES = 1000;

const SUBJECTS: { value: LessonName | 'world'; label: string }[] = [
  { value: 'ring', label: 'Example: teach a new word, “ring”' },
  { value: 'due', label: 'Example: teach a new field, the amount due' },
  { value: 'labels', label: 'Example: teach labels of one’s own, three parts by their shape' },
  { value: 'world', label: 'What the nano models know already' },
];

const TITLES: Record<LessonName, string> = { ring: 'New word: ring', due: 'New field: amount due', labels: 'Labels of one’s own' };

export function GenerateDialog({ onClose, onGenerate }: { onClose(): void; onGenerate(title: string, request: GenerateRequest): void }) {
  const [lesson, setLesson] = useState<(typeof SUBJECTS)[number]['value']>('ring');
  const [pictures, setPictures] = useState(40);
  const [seed, setSeed] = useState(1);
  const [kinds, setKinds] = useState<string[]>(KINDS.map(([kind]) => kind));
  const allKinds = kinds.length === KINDS.length;
  return (
    <Dialog title="Draw examples" onClose={onClose}>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          if (lesson === 'world') onGenerate('Nano world', { pictures, seed, kinds: allKinds ? [] : kinds });
          else onGenerate(TITLES[lesson], { pictures, seed, kinds: [], lesson });
        }}
      >
        <SelectField
          label="What to draw"
          value={lesson}
          options={SUBJECTS}
          onChange={(subject) => setLesson(subject)}
          hint={
            lesson === 'world'
              ? 'Five questions a picture: to try training, and to blend in with your own data so that a model keeps what it can do.'
              : 'Something that no nano model knows, with questions and answers. As many pictures again, up to 40, are held out to measure what was learnt.'
          }
        />
        <div className={styles.pair}>
          <NumberField
            label="Pictures to draw from"
            min={1}
            max={MOST_PICTURES}
            step={1}
            required
            value={pictures}
            onChange={setPictures}
          />
          <NumberField label="Seed" min={0} step={1} required value={seed} onChange={setSeed} />
        </div>
        {lesson === 'world' && (
          <fieldset className={styles.checks}>
            <legend>Kinds</legend>
            {KINDS.map(([kind, name]) => (
              <label key={kind}>
                <input
                  type="checkbox"
                  checked={kinds.includes(kind)}
                  onChange={(event) => setKinds(event.target.checked ? [...kinds, kind] : kinds.filter((one) => one !== kind))}
                />
                {name}
              </label>
            ))}
          </fieldset>
        )}
        <Button type="submit" variant="primary" icon="pencil" disabled={lesson === 'world' && kinds.length === 0}>
          Draw
        </Button>
      </form>
    </Dialog>
  );
}
