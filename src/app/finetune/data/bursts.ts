import { LABEL_PLACE, type Sentences } from './SentenceFields.tsx';

/** One picture of a burst. */
export interface Frame {
  id: number;
  /** Counts the bursts of all labels. */
  burst: number;
  blob: Blob;
  /** Of the blob, until it is revoked. */
  url: string;
}

export interface BurstLabel {
  id: number;
  name: string;
  frames: readonly Frame[];
}

/** Of all labels together: what a few minutes of recording bring, and soon trained on. */
export const MOST_FRAMES = 400;

export function frameCount(labels: readonly BurstLabel[]): number {
  return labels.reduce((sum, { frames }) => sum + frames.length, 0);
}

/** The labels without the pictures that were recorded last, and those. */
export function withoutLastBurst(labels: readonly BurstLabel[]): { labels: BurstLabel[]; removed: Frame[] } {
  const last = Math.max(...labels.flatMap(({ frames }) => frames.map(({ burst }) => burst)));
  const isLast = ({ burst }: Frame) => burst === last;
  return {
    labels: labels.map((label) => ({ ...label, frames: label.frames.filter((frame) => !isLast(frame)) })),
    removed: labels.flatMap(({ frames }) => frames.filter(isLast)),
  };
}

/** What is wrong with the names: a sentence; null when they are as they must be. */
export function namesProblem(labels: readonly BurstLabel[]): string | null {
  const names = labels.map(({ name }) => name.trim());
  if (names.includes('')) return 'Every label needs a name.';
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  return twice === undefined ? null : `There are two labels “${twice}”.`;
}

/** Whether every label that has pictures has a burst to learn from besides its last one. */
export function canHoldOut(labels: readonly BurstLabel[]): boolean {
  const recorded = labels.filter(({ frames }) => frames.length > 0);
  return recorded.length > 0 && recorded.every(({ frames }) => frames[0]!.burst !== frames.at(-1)!.burst);
}

/**
 * The pictures with LLaVA records, as an import takes them.
 *
 * @param holdOut whether each label's last burst is held out, as far as {@link canHoldOut}
 */
export function filesOf(labels: readonly BurstLabel[], { question, answer }: Sentences, holdOut: boolean): { path: string; blob: Blob }[] {
  const apart = holdOut && canHoldOut(labels);
  const recorded = labels.flatMap(({ name, frames }, i) =>
    frames.map((frame, k) => ({
      label: name.trim(),
      isHeldOut: apart && frame.burst === frames.at(-1)!.burst,
      file: { path: `camera/pictures/${i + 1}-${String(k + 1).padStart(3, '0')}.jpg`, blob: frame.blob },
    })),
  );
  const rows = recorded.map(({ label, isHeldOut, file: { path } }) => ({
    id: path.slice(path.lastIndexOf('/') + 1, -'.jpg'.length),
    image: path.slice('camera/'.length),
    ...(isHeldOut && { held_out: true }),
    conversations: [
      { from: 'human', value: `<image>\n${question.trim()}` },
      { from: 'gpt', value: answer.trim().replaceAll(LABEL_PLACE, () => label) },
    ],
  }));
  const data = new Blob([JSON.stringify(rows)], { type: 'application/json' });
  return [{ path: 'camera/data.json', blob: data }, ...recorded.map(({ file }) => file)];
}
