import { dataClient } from './data/data-client.ts';

/** Title of the dataset of old tasks; it is made once. */
const OLD_TASKS = 'Old tasks, generated';
/** Each brings five questions, and every two of them three without a picture. */
const OLD_TASK_PICTURES = 60;

/**
 * Records of what the bundled models can do already: every kind of picture of the desk world, and text.
 *
 * @returns id of their dataset
 */
export async function ensureOldTasks(): Promise<string> {
  const known = (await dataClient.list()).find(({ title }) => title === OLD_TASKS);
  if (known) return known.id;
  const made = await dataClient.generate({ title: OLD_TASKS }, { pictures: OLD_TASK_PICTURES, seed: 1, kinds: [] });
  return made.id;
}

/** Small copies of a dataset's pictures as data URLs, by name; those that are gone are left out. */
export async function pictureUrls(dataset: string, names: readonly string[]): Promise<Map<string, string>> {
  const urls = new Map<string, string>();
  for (const name of names) {
    const blob = await dataClient.thumbnail(dataset, name).catch(() => null);
    if (blob) urls.set(name, await dataUrl(blob));
  }
  return urls;
}

function dataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error ?? new Error('The picture could not be read.'));
    reader.readAsDataURL(blob);
  });
}
