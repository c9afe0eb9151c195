import { readModelDescription } from '../../weights/model-folder.ts';
import type { CallOptions, ModelSource } from '../api.ts';
import { openTextSide } from '../chat/text-side.ts';
import { isBundled } from '../models/bundled-models.ts';
import type { HeldModels } from '../models/held-models.ts';
import { modelAddress, modelTitle, parseModelAddress } from '../models/model-address.ts';
import type { EnginePlatform } from '../platform.ts';
import { geometryOfModel, NVLM_72B, nvlm72bGeometry, type Geometry } from './geometries.ts';

/** The geometries of models by their ids, read once; and the sources that ids stand for. */
export class KnownGeometries {
  private readonly read = new Map<string, Promise<Geometry>>();
  /** Sources by their address, for those that no address can be turned back into. */
  private readonly sources = new Map<string, ModelSource>();

  constructor(
    private readonly openFiles: EnginePlatform['openFiles'],
    private readonly held: HeldModels,
  ) {}

  remember(source: ModelSource): void {
    const id = modelAddress(source);
    // Other files may come under the same name.
    if (source.kind === 'files') this.read.delete(id);
    this.sources.set(id, source);
  }

  sourceOf(id: string): ModelSource {
    if (isBundled(id)) return { kind: 'bundled', id };
    return this.sources.get(id) ?? parseModelAddress(id) ?? { kind: 'folder', path: id };
  }

  async of(model: string | undefined, options: CallOptions): Promise<Geometry> {
    const id = model ?? NVLM_72B;
    if (id === NVLM_72B) return nvlm72bGeometry();
    const { answering } = this.held;
    if (answering?.id === id && answering.session.text) {
      return geometryOfModel({ id, title: answering.record.title, ...answering.session.text });
    }
    const known = this.read.get(id);
    if (known) return known;
    const reading = this.readGeometry(id, options);
    this.read.set(id, reading);
    reading.catch(() => this.read.delete(id));
    return reading;
  }

  private async readGeometry(id: string, { signal }: CallOptions): Promise<Geometry> {
    const source = this.sourceOf(id);
    const files = await this.openFiles(source, { signal });
    try {
      // The description alone: the shards may be on their way into storage at this moment, by a load of the same model.
      return geometryOfModel({ id, title: modelTitle(source), ...openTextSide(await readModelDescription(files, signal)) });
    } finally {
      await files.close();
    }
  }
}
