import type { Command } from 'commander';
import { imageMessage } from '../text/conversation.ts';
import { IMAGE_PLACEHOLDER } from '../text/image-placeholder.ts';
import type { DatasetRecord } from '../datasets/types.ts';
import { wholeNumber, withCommonOptions, type CommonOptions, type Context, type Run } from './command.ts';
import { DATA_HELP, type DataOptions, readLocalData, withDataOptions } from './data-reader.ts';

interface CheckOptions extends CommonOptions, DataOptions {
  list?: number;
}

const MOST_PROBLEMS_PRINTED = 50;

export function addDataCheck(data: Command, run: Run): void {
  const command = data
    .command('check <path>')
    .description(`Say what train and eval would read of data: ${DATA_HELP}. Exits with 1 when there is nothing to learn from in it.`)
    .option('--list <n>', 'print the first n records as they will be trained', wholeNumber(1));
  withCommonOptions(withDataOptions(command)).action((path: string, options: CheckOptions) =>
    run(options, (context) => check(path, options, context)),
  );
}

async function check(path: string, options: CheckOptions, context: Context) {
  const { records, drafts, report, readImage: _ } = await readLocalData(path, options, context, { decode: true });
  const { pictures, problems, problemCount, notes } = report;
  const listed = records.slice(0, options.list ?? 0).map(asTrained);
  const heldOut = records.filter((record) => record.heldOut).length;
  return {
    document: {
      path,
      records: records.length,
      pictures,
      heldOut,
      drafts,
      problems,
      problemCount,
      notes: notes.map(({ where, reason }) => ({ where, reason })),
      ...(options.list !== undefined && { list: listed }),
    },
    text: [
      `${path}: ${count(records.length, 'record')} with ${count(pictures, 'picture')}` + (heldOut > 0 ? `, ${heldOut} held out` : ''),
      ...problems.slice(0, MOST_PROBLEMS_PRINTED).map(({ where, reason }) => `left out ${where}: ${reason}`),
      ...(problemCount > MOST_PROBLEMS_PRINTED ? [`left out ${problemCount - MOST_PROBLEMS_PRINTED} more`] : []),
      ...notes.map(({ where, reason }) => `${where}: ${reason}`),
      ...listed.flatMap(describe),
    ].join('\n'),
    failed: records.length === 0,
  };
}

/** A record with the picture's place said even where it stands by default: before the first question. */
function asTrained({ id, task, image, heldOut, messages }: DatasetRecord) {
  const pictureAt = image === null ? -1 : imageMessage(messages);
  return {
    id,
    task,
    heldOut,
    image,
    messages: messages.map(({ role, content }, i) => ({
      role,
      content: i === pictureAt && !content.includes(IMAGE_PLACEHOLDER) ? `${IMAGE_PLACEHOLDER}\n${content}` : content,
    })),
  };
}

function describe({ id, task, image, heldOut, messages }: ReturnType<typeof asTrained>): string[] {
  const about = [`task ${task}`, ...(image === null ? ['text only'] : [`picture ${image}`]), ...(heldOut ? ['held out'] : [])];
  return ['', `${id} (${about.join(', ')})`, ...messages.map(({ role, content }) => `  ${role}: ${content.replaceAll('\n', '\n    ')}`)];
}

function count(n: number, what: string): string {
  return `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;
}
