import { useEffect, useRef, useState } from 'react';
import type { GenerateRequest, ImportChoices, ImportDescription, ImportProgress, ImportReport } from '../../../datasets/types.ts';
import { toPlainError, type PlainError } from '../../../errors.ts';
import { dataClient, type ImportSource } from './data-client.ts';
import { readable, titleFor } from './dropped-files.ts';

type Files = { path: string; blob: Blob }[];

/** What is to come in, and what is asked of it first. */
interface Waiting extends ImportDescription {
  source: ImportSource;
  title: string;
}

export interface Importing {
  progress: ImportProgress | null;
  /** Columns or labels to be confirmed before the import goes on. */
  waiting: Waiting | null;
  report: ImportReport | null;
  error: PlainError | null;
  busy: boolean;
  takeFiles(files: Promise<Files> | Files): Promise<void>;
  takeAddress(address: string): Promise<void>;
  generate(title: string, request: GenerateRequest): Promise<void>;
  confirm(choices: ImportChoices): Promise<void>;
  stop(): void;
  dismiss(): void;
  fail(error: unknown): void;
}

/**
 * Brings data into a dataset, or into a new one.
 *
 * @param onDone hears the dataset's id
 */
export function useImport(dataset: string | null, onDone: (id: string) => void): Importing {
  const [progress, setProgress] = useState<ImportProgress | null>(null);
  const [waiting, setWaiting] = useState<Waiting | null>(null);
  const [report, setReport] = useState<ImportReport | null>(null);
  const [error, setError] = useState<PlainError | null>(null);
  const [busy, setBusy] = useState(false);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);

  async function run(work: (signal: AbortSignal) => Promise<{ id: string; report: ImportReport } | null>): Promise<void> {
    running.current?.abort();
    const controller = (running.current = new AbortController());
    setBusy(true);
    setError(null);
    setReport(null);
    try {
      const done = await work(controller.signal);
      if (!done) return;
      setReport(done.report);
      onDone(done.id);
    } catch (cause) {
      const plain = toPlainError(cause);
      if (plain.code !== 'cancelled') setError(plain);
    } finally {
      if (running.current === controller) {
        setBusy(false);
        setProgress(null);
      }
    }
  }

  const target = (title: string) => (dataset === null ? { title } : { id: dataset });

  async function bring(source: ImportSource, title: string, choices: ImportChoices, signal: AbortSignal) {
    return dataClient.import(target(title), source, choices, { signal, onProgress: setProgress });
  }

  /** Tables wait for their columns to be looked at, labels for their question; all else goes straight in. */
  async function take(source: ImportSource, title: string, signal: AbortSignal) {
    const described = await dataClient.describe(source, { signal });
    if (described.tables.length === 0 && described.labels.length === 0) return bring(source, title, {}, signal);
    setWaiting({ source, title, ...described });
    return null;
  }

  return {
    progress,
    waiting,
    report,
    error,
    busy,
    takeFiles: (given) =>
      run(async (signal) => {
        const files = await given;
        return files.length === 0 ? null : take(await readable(files), titleFor(files), signal);
      }),
    takeAddress: (address) =>
      run((signal) => {
        const title = address.split('/').at(-1)?.split('.')[0] ?? '';
        return take({ address }, title, signal);
      }),
    generate: (title, request) => run((signal) => dataClient.generate(target(title), request, { signal, onProgress: setProgress })),
    confirm: (choices) =>
      run(async (signal) => {
        setWaiting(null);
        return waiting && bring(waiting.source, waiting.title, choices, signal);
      }),
    stop: () => {
      setWaiting(null);
      running.current?.abort();
    },
    dismiss: () => {
      setReport(null);
      setError(null);
    },
    fail: (cause) => setError(toPlainError(cause)),
  };
}
