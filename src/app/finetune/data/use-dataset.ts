import { startTransition, useCallback, useEffect, useRef, useState } from 'react';
import type { DatasetRecord, DatasetSummary, RecordPage, RecordQuery } from '../../../datasets/types.ts';
import { toPlainError, type PlainError } from '../../../errors.ts';
import { dataClient } from './data-client.ts';

/** The datasets that there are; null while they are being asked for. */
export function useDatasets(): { datasets: DatasetSummary[] | null; refresh(): void; error: PlainError | null } {
  const [datasets, setDatasets] = useState<DatasetSummary[] | null>(null);
  const [error, setError] = useState<PlainError | null>(null);
  const refresh = useCallback(() => {
    dataClient.list().then(setDatasets, (cause: unknown) => setError(toPlainError(cause)));
  }, []);
  useEffect(refresh, [refresh]);
  return { datasets, refresh, error };
}

/** Whether datasets and runs outlive the tab, see `DataApi.lasts`; null while it is being asked. */
export function useLasts(): boolean | null {
  const [lasts, setLasts] = useState<boolean | null>(null);
  useEffect(() => {
    // A worker that does not answer is reported by the calls that need it.
    dataClient.lasts().then(setLasts, () => {});
  }, []);
  return lasts;
}

/** A page of a dataset; the one before stays on show until the next is there. */
export function useRecords(id: string, query: RecordQuery) {
  const [page, setPage] = useState<RecordPage | null>(null);
  const [error, setError] = useState<PlainError | null>(null);
  const asked = useRef(0);
  const key = JSON.stringify(query);
  // An edit of the page before may end after the page was turned: what is asked for then is the page of then.
  const wanted = useRef(key);
  const refresh = useCallback(async () => {
    const mine = ++asked.current;
    try {
      const found = await dataClient.query(id, JSON.parse(wanted.current) as RecordQuery);
      if (mine !== asked.current) return;
      // Rendered in slices, and only the cards that changed.
      startTransition(() => {
        setPage((before) => ({ ...found, records: keepEqual(found.records, before?.records ?? []) }));
        setError(null);
      });
    } catch (cause) {
      if (mine === asked.current) setError(toPlainError(cause));
    }
  }, [id]);
  useEffect(() => {
    wanted.current = key;
    void refresh();
  }, [key, refresh]);
  return { page, error, refresh };
}

/** The records, but as the objects of before where nothing in them has changed. */
function keepEqual(records: DatasetRecord[], before: readonly DatasetRecord[]): DatasetRecord[] {
  const known = new Map(before.map((record) => [record.id, record]));
  return records.map((record) => {
    const old = known.get(record.id);
    return old && JSON.stringify(old) === JSON.stringify(record) ? old : record;
  });
}
