import { useEffect, useState } from 'react';
import type { SharedImage } from '../state/image-slice.ts';

/** An address for the picture's bytes that lasts as long as it is shown. */
export function useObjectUrl(image: SharedImage | null): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (!image) return;
    const made = URL.createObjectURL(new Blob([image.bytes as Uint8Array<ArrayBuffer>], { type: image.type }));
    setUrl(made);
    return () => {
      URL.revokeObjectURL(made);
      setUrl(null);
    };
  }, [image]);
  return url;
}
