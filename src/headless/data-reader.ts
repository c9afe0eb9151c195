import type { Command } from 'commander';
import { type PictureSink, readFiles } from '../datasets/import/import-files.ts';
import { readPicture, type SourceFile } from '../datasets/import/source-file.ts';
import { COMMAND_LINE_LIMITS } from '../datasets/limits.ts';
import { RecordIds } from '../datasets/record-ids.ts';
import { isDraft } from '../datasets/record-query.ts';
import type { DatasetRecord, ImportReport } from '../datasets/types.ts';
import type { ReadData } from '../engine/runs/run-pools.ts';
import { NvlmError } from '../errors.ts';
import { decodeImage } from '../tiling/decode.ts';
import type { Context } from './command.ts';
import { localFiles, outsideFiles } from './data-files.ts';

/** Options of every command that reads data. */
export interface DataOptions {
  allowOutside?: boolean;
  question?: string;
  answer?: string;
}

export const DATA_HELP =
  'LLaVA, OpenAI, Qwen-VL, ShareGPT or Alpaca rows as JSON or JSONL, CSV, parquet, a zip, or a folder of them or of pictures';

/** Data on this machine's disk, read as the page reads what is dropped on it. */
export interface LocalData {
  /** Those that can be trained on, each with an id of its own. */
  records: DatasetRecord[];
  /** Pictures that wait for their questions. */
  drafts: number;
  report: ImportReport;
  /** Bytes of a picture by the path that a record has. @throws NvlmError `not-found`, `bad-data`, `image-too-large` */
  readImage(path: string): Promise<Uint8Array>;
}

/** Further ones are only counted. */
const MOST_PROBLEMS_PRINTED = 20;

export function withDataOptions(command: Command): Command {
  return command
    .option('--allow-outside', "read pictures outside of the data's folder too, where its rows name them or links lead to them")
    .option('--question <text>', 'asked about pictures that have an answer and no question, and about pictures in a folder a label')
    .option('--answer <text>', 'the answer about pictures in a folder a label, with {label} where that stands: "This is a {label}."');
}

/**
 * Reads data of any kind that the page takes, by the same code.
 *
 * @param decode whether every picture is decoded, so that those which cannot be are found now
 * @throws NvlmError `not-found` when there is nothing at the path, `cancelled`
 */
export async function readLocalData(
  path: string,
  { allowOutside = false, question, answer }: DataOptions,
  { signal, progress }: Pick<Context, 'signal' | 'progress'>,
  { decode = false } = {},
): Promise<LocalData> {
  const { root, files, links, isFolder } = await localFiles(path, allowOutside);
  const pictures = new LocalPictures(decode);
  const { records: read, report } = await readFiles(files, pictures, {
    room: COMMAND_LINE_LIMITS.records,
    limits: COMMAND_LINE_LIMITS,
    outside: outsideFiles(root, allowOutside),
    question,
    answer,
    signal,
    onProgress: ({ what, done, total }) => progress.update(what, done, total, 'records'),
  });
  const { problems } = report;
  if (read.length === 0 && problems.length === 0 && links.length === 0)
    throw new NvlmError('not-found', `There is neither data.json nor any other data or picture in "${path}".`, `Give ${DATA_HELP}.`);
  for (const link of links) problems.push({ where: link, reason: "it is a link out of the data's folder: add --allow-outside to read it" });
  report.problemCount += links.length;
  const records = read.filter((record) => !isDraft(record));
  const drafts = read.length - records.length;
  if (drafts > 0) problems.push({ where: path, reason: `${drafts} of its records have no answer to learn yet` });
  const ids = new RecordIds([]);
  return {
    records: records.map((record) => ({ ...record, id: ids.next(record.id) })),
    drafts,
    // What lies beside a file that was named did not come along for its rows to use.
    report: {
      ...report,
      notes: isFolder ? report.notes : report.notes.filter(({ about }) => about !== 'files'),
      records: records.length,
      problemCount: report.problemCount + (drafts > 0 ? 1 : 0),
    },
    readImage: (image) => pictures.read(image),
  };
}

/** The same as what a run learns from. @throws NvlmError `bad-data` when there is nothing in it to learn from */
export function asRunData({ records, report }: LocalData, path: string): ReadData {
  const [first] = report.problems;
  if (records.length === 0) {
    const why = first ? ` The first problem, ${first.where}: ${first.reason}.` : '';
    throw new NvlmError('bad-data', `There is nothing to learn from in "${path}".${why}`, `Look at it with: nvlm data check ${path}`);
  }
  return { records, problems: report.problems.map(({ where, reason }) => ({ id: where, reason })) };
}

/** Says what was left out. */
export function warnOfProblems(problems: readonly { id: string; reason: string }[], { warn }: Pick<Context, 'warn'>): void {
  for (const { id, reason } of problems.slice(0, MOST_PROBLEMS_PRINTED)) warn(`left out ${id}: ${reason}`);
  const more = problems.length - MOST_PROBLEMS_PRINTED;
  if (more > 0) warn(`left out ${more} more`);
}

/** Says which fields are not read, and which pictures a model sees otherwise than people do. */
export function warnOfNotes({ notes }: ImportReport, { warn }: Pick<Context, 'warn'>): void {
  for (const { about, where, reason } of notes) if (about !== 'files') warn(`${where}: ${reason}`);
}

/** Remembers where pictures lie, and reads them when they are needed. */
class LocalPictures implements PictureSink {
  private readonly files = new Map<string, SourceFile>();

  constructor(private readonly decode: boolean) {}

  async add(file: SourceFile): Promise<string> {
    if (this.decode) await decodeImage(await readPicture(file));
    let path = file.path;
    for (let count = 2; this.files.has(path); count++) path = `${file.path} (${count})`;
    this.files.set(path, file);
    return path;
  }

  async read(path: string): Promise<Uint8Array> {
    const file = this.files.get(path);
    if (!file) throw new NvlmError('not-found', `There is no picture "${path}" in the data.`, 'Check the data file.');
    return readPicture(file);
  }
}
