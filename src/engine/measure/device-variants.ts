import type { Device } from '../../device/types.ts';
import type { Folder } from '../../files/folder.ts';
import type { NvlmModel } from '../../nvlm/model.ts';
import { stepProducts } from '../../nvlm/step-products.ts';
import { chooseLines, sizeClass } from '../../ops/few-rows-lines.ts';
import { ProductTrial, type StepProducts } from '../../ops/product-trial.ts';
import { chooseVariants, type Trial, type VariantRecord } from './choose-variants.ts';
import { readVariants, writeVariants } from './kept-variants.ts';

/**
 * Has a model's products run in the variants that are fastest on the open WebGPU device: those known from earlier, and what is new is
 * measured. Software adapters take the defaults: they share the processor with everybody, so what is fastest changes from call to call.
 *
 * @throws NvlmError as `Device.check`
 */
export async function tuneVariants(device: Device, model: NvlmModel, folder: Folder): Promise<void> {
  const { adapter } = device.info;
  if (!adapter) return;
  const record = await readVariants(folder, adapter);
  if (!adapter.software) {
    const fresh = stepProducts(model).filter(({ op, shape }) => !record.choices.has(sizeClass(op, shape)));
    if (fresh.length > 0) {
      await chooseVariants(trials(fresh, device), record, () => performance.now());
      await writeVariants(folder, adapter, record);
    }
  }
  chooseLines(record.choices);
}

function* trials(products: readonly StepProducts[], device: Device): Generator<Trial> {
  for (const one of products) yield new ProductTrial(one, device);
}

/**
 * Notes which variants a check of all of them found wrong on this device, so that they are never chosen. Where those are others than
 * before, everything takes its default until it is measured anew.
 *
 * @param refused their names
 */
export async function noteVerified(device: Device, refused: ReadonlySet<string>, folder: Folder): Promise<void> {
  const { adapter } = device.info;
  if (!adapter) return;
  const record = await readVariants(folder, adapter);
  const changed = refused.size !== record.refused.size || [...refused].some((name) => !record.refused.has(name));
  if (!changed) return;
  const next: VariantRecord = { choices: new Map(), refused: new Set(refused) };
  chooseLines(next.choices);
  await writeVariants(folder, adapter, next);
}
