import type { Architecture } from '../text/types.ts';

/** A model that ships with the page, in `public/models/<id>`. */
export interface BundledModel {
  id: string;
  title: string;
  architecture: Architecture;
  /** Values in the checkpoint. */
  parameters: number;
  /** All files of the folder. */
  bytes: number;
  /** What it can and cannot do. */
  note: string;
}
