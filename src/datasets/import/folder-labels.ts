import { isHeldOutName } from './sort-files.ts';
import { folderOf, type SourceFile } from './source-file.ts';

export interface FolderLabel {
  label: string;
  /** It lies below a folder called `test`, `val` … */
  heldOut: boolean;
}

/** Folders that cameras make. */
const CAMERA = /^\d{3}[A-Z_]{3,5}$/i;
const SPLITS = /^(train|training)$/i;

/**
 * Labels of pictures that lie in a folder a class, as in Hugging Face's `imagefolder`: `cat/1.png`, `train/dog/2.png`. No labels
 * where that is not how the pictures lie: fewer than two such folders, pictures that lie beside them.
 */
export function folderLabels(pictures: readonly SourceFile[]): Map<SourceFile, FolderLabel> {
  const labels = new Map<SourceFile, FolderLabel>();
  const common = commonFolder(pictures);
  for (const file of pictures) {
    const folders = folderOf(file.path).slice(common.length).split('/').slice(0, -1);
    const label = folders.at(-1);
    if (label === undefined || CAMERA.test(label) || SPLITS.test(label) || isHeldOutName(label)) return new Map();
    labels.set(file, { label, heldOut: folders.slice(0, -1).some(isHeldOutName) });
  }
  return new Set([...labels.values()].map(({ label }) => label)).size < 2 ? new Map() : labels;
}

/** The folder in which all of them lie. */
function commonFolder(pictures: readonly SourceFile[]): string {
  let common = pictures[0] ? folderOf(pictures[0].path) : '';
  for (const { path } of pictures) while (!path.startsWith(common)) common = folderOf(common.slice(0, -1));
  return common;
}
