import { useEffect, useState } from 'react';

export interface BrowserFacts {
  webgpu: boolean;
  cores: number;
  online: boolean;
  userAgent: string;
  storage: { usage?: number; quota?: number } | null;
}

/** What the browser tells about itself and its machine. */
export function useBrowserFacts(): BrowserFacts {
  const [storage, setStorage] = useState<BrowserFacts['storage']>(null);
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    navigator.storage
      ?.estimate()
      .then(setStorage)
      .catch(() => setStorage(null));
    const listen = () => setOnline(navigator.onLine);
    window.addEventListener('online', listen);
    window.addEventListener('offline', listen);
    return () => {
      window.removeEventListener('online', listen);
      window.removeEventListener('offline', listen);
    };
  }, []);
  return {
    webgpu: 'gpu' in navigator,
    cores: navigator.hardwareConcurrency,
    online,
    userAgent: navigator.userAgent,
    storage,
  };
}
