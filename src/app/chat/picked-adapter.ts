import type { ExportedFile } from '../../engine/runs/training-api.ts';
import { NvlmError } from '../../errors.ts';
import { unzipped } from '../zip-files.ts';

const WANTED = /(^|\/)(adapter_config\.json|adapter_model\.safetensors)$/;
const MOST_BYTES = 2 ** 30;

/**
 * The two files of a PEFT adapter among those that were chosen or dropped: the files, their folder, or a ZIP of it. The
 * rest of a folder is not read.
 *
 * @throws NvlmError `bad-data`
 */
export async function readPickedAdapter(picked: readonly File[]): Promise<ExportedFile[]> {
  const [first] = picked;
  if (picked.length === 1 && first?.name.toLowerCase().endsWith('.zip')) return unzipped(first, MOST_BYTES, (path) => WANTED.test(path));
  const wanted = picked.filter((file) => WANTED.test(file.name));
  if (wanted.reduce((sum, { size }) => sum + size, 0) > MOST_BYTES) {
    throw new NvlmError('bad-data', 'These files are larger than an adapter is.', 'Merge it into its model instead.');
  }
  const files: ExportedFile[] = [];
  for (const file of wanted) files.push({ path: file.webkitRelativePath || file.name, bytes: new Uint8Array(await file.arrayBuffer()) });
  return files;
}
