import { useCallback, useEffect, useRef, useState } from 'react';
import type { DatasetSummary, RecordPage, RecordQuery } from '../../../datasets/types.ts';
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

/** A page of a dataset; the one before stays on show until the next is there. */
export function useRecords(id: string, query: RecordQuery) {
  const [page, setPage] = useState<RecordPage | null>(null);
  const [error, setError] = useState<PlainError | null>(null);
  const asked = useRef(0);
  const key = JSON.stringify(query);
  const refresh = useCallback(async () => {
    const mine = ++asked.current;
    try {
      const found = await dataClient.query(id, JSON.parse(key) as RecordQuery);
      if (mine !== asked.current) return;
      setPage(found);
      setError(null);
    } catch (cause) {
      if (mine === asked.current) setError(toPlainError(cause));
    }
  }, [id, key]);
  useEffect(() => void refresh(), [refresh]);
  return { page, error, refresh };
}
