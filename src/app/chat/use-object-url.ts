import { useEffect, useState } from 'react';

/** An address for a picture's bytes that lasts as long as it is shown. */
export function useObjectUrl(picture: { bytes: Uint8Array; type: string } | null): string | null {
  const [url, setUrl] = useState<string | null>(null);
  const { bytes, type } = picture ?? {};
  useEffect(() => {
    if (!bytes) return;
    const made = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type }));
    setUrl(made);
    return () => {
      URL.revokeObjectURL(made);
      setUrl(null);
    };
  }, [bytes, type]);
  return url;
}
