import { useEffect, useId, useState } from 'react';
import type { Inspection } from '../../engine/api.ts';
import type { PlainError } from '../../errors.ts';
import { Button } from '../components/Button.tsx';
import { Problem } from '../components/Notice.tsx';
import { Segmented } from '../components/Segmented.tsx';
import { useApp } from '../state/hooks.ts';
import { isBundledId, titleOf } from '../state/model-slice.ts';
import styles from './Controls.module.css';
import { GEOMETRIES, LARGEST_TILE_SIZE, tileSizeFrom, type GeometryId, type TilesSettings } from './settings.ts';
import { TAG_FORMATS, TAG_FORMAT_NAMES } from '../../tiling/tags.ts';

const GEOMETRY_TITLES: Record<string, string> = {
  'nvlm-1.0-72b': 'NVLM-1.0 72B',
  'nano-d': 'nano-d',
  'nano-x': 'nano-x',
  'nano-h': 'nano-h',
};

/** Sides of published vision encoders; those that a shape's patches divide are offered. */
const TILE_SIZES = [112, 128, 224, 256, 336, 384, 448, 512];
const MOST_PRESETS = 4;

interface Props {
  settings: TilesSettings;
  /** What holds where nothing was chosen, and what the shape's rule can be asked for. */
  effective: Pick<Inspection['geometry'], 'maxTiles' | 'tileSize' | 'tagFormat' | 'mostTiles' | 'tileStep'>;
  error: PlainError | null;
  onChange: (patch: Partial<TilesSettings>) => void;
}

export function Controls({ settings, effective, error, onChange }: Props) {
  const id = useId();
  const models = useApp((state) => state.models);
  const own = (models ?? []).filter((model) => !isBundledId(model.id) && model.takesPictures).map((model) => model.id);
  const maxTiles = settings.maxTiles ?? effective.maxTiles;
  const tagFormat = settings.tagFormat ?? effective.tagFormat;
  const hasTokenizer = settings.geometry !== 'nvlm-1.0-72b';
  return (
    <form className={styles.controls} aria-label="Tiling" onSubmit={(event) => event.preventDefault()}>
      <div className={styles.field}>
        <label htmlFor={`${id}-geometry`}>Model shape</label>
        <select
          id={`${id}-geometry`}
          value={settings.geometry}
          // Another shape brings its own tile size and most tiles; what was chosen for the last may make no sense in it.
          onChange={(event) => onChange({ geometry: event.target.value as GeometryId, tileSize: null, maxTiles: null })}
        >
          {[...new Set<GeometryId>([...GEOMETRIES, ...own, settings.geometry])].map((name) => (
            <option key={name} value={name}>
              {GEOMETRY_TITLES[name] ?? titleOf(name)}
            </option>
          ))}
        </select>
      </div>
      <div className={styles.field}>
        <label htmlFor={`${id}-max`}>
          Max tiles <output>{maxTiles}</output>
        </label>
        <input
          id={`${id}-max`}
          type="range"
          min={1}
          max={effective.mostTiles}
          step={1}
          value={maxTiles}
          onChange={(event) => onChange({ maxTiles: Number(event.target.value) })}
        />
      </div>
      <TileSizeField
        size={settings.tileSize ?? effective.tileSize}
        step={effective.tileStep}
        onSize={(tileSize) => onChange({ tileSize })}
      />
      <div className={styles.field} role="group" aria-label="Tile tags">
        <span aria-hidden="true">Tile tags</span>
        <Segmented
          legend="Tile tags"
          value={tagFormat}
          options={TAG_FORMAT_NAMES.map((value) => ({ value, label: TAG_FORMATS[value].label, hint: TAG_FORMATS[value].hint }))}
          onChange={(value) => onChange({ tagFormat: value })}
        />
      </div>
      {hasTokenizer && (
        <div className={`${styles.field} ${styles.wide}`}>
          <label htmlFor={`${id}-prompt`}>Prompt after the picture</label>
          <input
            id={`${id}-prompt`}
            type="text"
            value={settings.prompt}
            maxLength={2000}
            placeholder="Type a question to see its tokens"
            onChange={(event) => onChange({ prompt: event.target.value })}
          />
        </div>
      )}
      {error && (
        <div className={styles.wide}>
          <Problem
            error={error}
            actions={
              (settings.maxTiles ?? settings.tileSize ?? settings.tagFormat) !== null && (
                <Button size="small" onClick={() => onChange({ maxTiles: null, tileSize: null, tagFormat: null })}>
                  As the model has it
                </Button>
              )
            }
          />
        </div>
      )}
    </form>
  );
}

function TileSizeField({ size, step, onSize }: { size: number; step: number; onSize: (size: number) => void }) {
  const id = useId();
  const [typed, setTyped] = useState(String(size));
  useEffect(() => setTyped(String(size)), [size]);
  const wrong = tileSizeFrom(typed, step) === null;
  const presets = TILE_SIZES.filter((preset) => preset % step === 0).slice(-MOST_PRESETS);
  return (
    <div className={styles.field}>
      <label htmlFor={id}>Tile size (px)</label>
      <div className={styles.sizes}>
        <Segmented
          legend="Tile size presets"
          value={presets.includes(size) ? String(size) : null}
          options={presets.map((preset) => ({ value: String(preset), label: String(preset) }))}
          onChange={(value) => onSize(Number(value))}
        />
        <input
          id={id}
          type="number"
          min={step}
          max={LARGEST_TILE_SIZE}
          step={step}
          value={typed}
          aria-invalid={wrong}
          aria-describedby={wrong ? `${id}-wrong` : undefined}
          onChange={(event) => {
            setTyped(event.target.value);
            const next = tileSizeFrom(event.target.value, step);
            if (next !== null) onSize(next);
          }}
          onBlur={() => setTyped(String(size))}
        />
      </div>
      {wrong && (
        <p id={`${id}-wrong`} className={styles.wrong} role="alert">
          A multiple of {step}, up to {LARGEST_TILE_SIZE}.
        </p>
      )}
    </div>
  );
}
