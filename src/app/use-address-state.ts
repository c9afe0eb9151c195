import { useEffect, useRef, useState } from 'react';
import { setParams, useRoute, type RouteParams } from './router.ts';

/** Browsers allow some hundred address changes in half a minute; a slider makes that many in seconds. */
const WRITE_AFTER_MS = 150;

type Patch = Record<string, string | number | null>;

/**
 * Settings that the address holds, and nothing else. Changes show at once and are written when they come to rest; a changed address is
 * followed.
 *
 * @param read must be the inverse of `write`
 */
export function useAddressState<T extends object>(
  read: (params: RouteParams) => T,
  write: (settings: T) => Patch,
): [T, (patch: Partial<T>) => void] {
  const { params } = useRoute();
  const [settings, setSettings] = useState(() => read(params));
  const keyOf = (some: T) => JSON.stringify(write(some));
  /** What the address says as far as this screen knows: any other content came from outside. */
  const known = useRef(keyOf(settings));

  useEffect(() => {
    const told = read(params);
    if (keyOf(told) === known.current) return;
    known.current = keyOf(told);
    setSettings(told);
  }, [params]);

  useEffect(() => {
    const key = keyOf(settings);
    if (key === known.current) return;
    const before = known.current;
    const timer = setTimeout(() => {
      // Another address was told, and its settings are about to be shown.
      if (known.current !== before) return;
      known.current = key;
      setParams(write(settings));
    }, WRITE_AFTER_MS);
    return () => clearTimeout(timer);
  }, [settings]);

  return [settings, (patch) => setSettings((now) => ({ ...now, ...patch }))];
}
