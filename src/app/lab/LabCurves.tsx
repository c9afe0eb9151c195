import type { Experiment, LabView } from '../../engine/lab/lab-api.ts';
import { useApp } from '../state/hooks.ts';
import { LEVEL_COLOURS, type Curve } from './curves.ts';
import { Overlay } from './Overlay.tsx';

/** The loss curves of all runs, coloured by level; the one under way grows. */
export function LabCurves({ experiment, view }: { experiment: Experiment; view: LabView }) {
  const live = useApp((state) => state.labLive);
  const losses = useApp((state) => state.labLosses);
  const colourOf = (level: string) => LEVEL_COLOURS[experiment.levels.findIndex((one) => one.level === level) % LEVEL_COLOURS.length]!;
  const curves: Curve[] = view.results.map(({ level, losses: values }) => ({ label: level, colour: colourOf(level), values }));
  if (live?.experiment === experiment.name && live.cell && losses.length > 0)
    curves.push({ label: live.cell.level, colour: colourOf(live.cell.level), values: losses });
  const drawn = curves.filter(({ values }) => values.length > 0);
  return drawn.length > 0 ? <Overlay title="Training loss of all runs" curves={drawn} /> : null;
}
