import { useEffect, useRef, useState } from 'react';
import { setParams, useRoute } from '../router.ts';
import { paramsFromSettings, settingsFromParams, type TilesSettings } from './settings.ts';

/** Browsers allow some hundred address changes in half a minute; a slider makes that many in seconds. */
const WRITE_AFTER_MS = 150;

/**
 * The settings that the address holds. Changes show at once and are written when they come to rest; a changed address
 * is followed.
 */
export function useAddressSettings(): [TilesSettings, (patch: Partial<TilesSettings>) => void] {
  const { params } = useRoute();
  const [settings, setSettings] = useState(() => settingsFromParams(params));
  /** What the address says as far as this screen knows: any other content came from outside. */
  const known = useRef(keyOf(settingsFromParams(params)));

  useEffect(() => {
    const told = settingsFromParams(params);
    if (keyOf(told) === known.current) return;
    known.current = keyOf(told);
    setSettings(told);
  }, [params]);

  useEffect(() => {
    const key = keyOf(settings);
    if (key === known.current) return;
    const timer = setTimeout(() => {
      known.current = key;
      setParams(paramsFromSettings(settings));
    }, WRITE_AFTER_MS);
    return () => clearTimeout(timer);
  }, [settings]);

  return [settings, (patch) => setSettings((now) => ({ ...now, ...patch }))];
}

function keyOf(settings: TilesSettings): string {
  return JSON.stringify(paramsFromSettings(settings));
}
