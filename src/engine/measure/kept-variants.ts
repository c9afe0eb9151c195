import type { GpuAdapterDescription } from '../../device/types.ts';
import type { Folder } from '../../files/folder.ts';
import { LINES, type Lines } from '../../ops/few-rows-lines.ts';
import type { VariantRecord } from './choose-variants.ts';

/** To be raised when the programs change so that another variant may be the fastest, or the wrong one right. */
const VERSION = 1;
const FILE = 'devices/variants.json';
const MOST_BYTES = 256 * 1024;
/** Adapters that are kept, the last ones used. */
const MOST_ADAPTERS = 8;

interface Stored {
  version: number;
  adapters: Record<string, { choices: Record<string, number>; refused: string[] }>;
}

/** What is known of this adapter's variants from earlier; nothing where the file is missing, damaged or of another version. */
export async function readVariants(folder: Folder, adapter: GpuAdapterDescription): Promise<VariantRecord> {
  const { choices = {}, refused = [] } = (await readStored(folder)).adapters[keyOf(adapter)] ?? {};
  const known = Object.entries(choices).filter((entry): entry is [string, Lines] => (LINES as readonly number[]).includes(entry[1]));
  return { choices: new Map(known), refused: new Set(refused) };
}

/** Never fails: where nothing can be kept, it is measured again. */
export async function writeVariants(folder: Folder, adapter: GpuAdapterDescription, { choices, refused }: VariantRecord): Promise<void> {
  const key = keyOf(adapter);
  const others = Object.entries((await readStored(folder)).adapters).filter(([other]) => other !== key);
  const own = { choices: Object.fromEntries(choices), refused: [...refused] };
  const adapters = Object.fromEntries([...others.slice(1 - MOST_ADAPTERS), [key, own]]);
  try {
    await folder.write(FILE, new TextEncoder().encode(JSON.stringify({ version: VERSION, adapters } satisfies Stored)));
  } catch {
    // Full, or not to be written.
  }
}

function keyOf({ vendor, architecture, device, description }: GpuAdapterDescription): string {
  return [vendor, architecture, device, description].join(' | ');
}

async function readStored(folder: Folder): Promise<Stored> {
  try {
    const bytes = await folder.read(FILE);
    const stored = bytes && bytes.byteLength <= MOST_BYTES ? (JSON.parse(new TextDecoder().decode(bytes)) as Stored) : null;
    if (stored?.version === VERSION && Object.values(stored.adapters).every(isWhole)) return stored;
  } catch {
    // Cut short, or somebody else's.
  }
  return { version: VERSION, adapters: {} };
}

function isWhole({ choices, refused }: Stored['adapters'][string]): boolean {
  return typeof choices === 'object' && choices !== null && Array.isArray(refused) && refused.every((name) => typeof name === 'string');
}
