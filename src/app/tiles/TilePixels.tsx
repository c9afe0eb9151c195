import { useLayoutEffect, useRef } from 'react';

interface Props {
  source: ImageBitmap;
  /** Largest side at which it is shown, in CSS pixels; default: as large as it is. */
  shownAt?: number;
}

/** A drawn copy of a picture that other places draw too; decorative, its parent carries the text. */
export function TilePixels({ source, shownAt = Infinity }: Props) {
  const ref = useRef<HTMLCanvasElement>(null);
  const largest = Math.max(source.width, source.height);
  // In steps, so that a drag that changes the size by a pixel draws nothing anew.
  const wanted = Math.ceil((shownAt * window.devicePixelRatio) / 64) * 64;
  const scale = Math.min(1, wanted / largest);
  useLayoutEffect(() => {
    const canvas = ref.current!;
    canvas.width = Math.max(1, Math.round(source.width * scale));
    canvas.height = Math.max(1, Math.round(source.height * scale));
    const context = canvas.getContext('2d')!;
    // Browsers shrink a canvas element more coarsely than they draw into one.
    context.imageSmoothingQuality = 'high';
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
  }, [source, scale]);
  return <canvas ref={ref} aria-hidden="true" />;
}
