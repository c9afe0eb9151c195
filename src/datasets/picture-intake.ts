import type { Folder } from '../files/folder.ts';
import { decodeImage } from '../tiling/decode.ts';
import { sniffFormat } from '../tiling/sniff.ts';
import { pictureName } from './dataset-store.ts';
import type { PictureSink } from './import/import-files.ts';
import { readPicture, type SourceFile } from './import/source-file.ts';
import { MOST_BYTES, tooLarge } from './limits.ts';
import { PictureNames } from './picture-names.ts';

/** Writes pictures into a dataset's folder: each checked and under a name of its own, and all taken out again if need be. */
export class PictureIntake implements PictureSink {
  private readonly written: string[] = [];

  private constructor(
    private readonly folder: Folder,
    private readonly place: string,
    private readonly names: PictureNames,
    /** Of all pictures in the dataset. */
    public bytes: number,
  ) {}

  /** @param bytes of the pictures that the dataset has already */
  static async open(folder: Folder, place: string, bytes: number): Promise<PictureIntake> {
    const present = await folder.list(`${place}/pictures`);
    return new PictureIntake(folder, place, new PictureNames(present.map(({ path }) => pictureName(path))), bytes);
  }

  async add(file: SourceFile): Promise<string> {
    const picture = await readPicture(file);
    if (this.bytes + picture.length > MOST_BYTES) throw tooLarge('There are too many bytes of pictures', `${MOST_BYTES / 2 ** 30} GiB`);
    await decodeImage(picture);
    const path = this.names.next(file.path, sniffFormat(picture));
    await this.folder.write(`${this.place}/${path}`, picture);
    this.written.push(path);
    this.bytes += picture.length;
    return path;
  }

  async undo(): Promise<void> {
    for (const path of this.written) await this.folder.remove(`${this.place}/${path}`);
  }
}
