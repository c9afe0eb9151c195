import { useEffect, useRef, useState, type RefObject } from 'react';
import { NvlmError, toPlainError, type PlainError } from '../../errors.ts';

export interface Camera {
  /** For the `video` element that shows what the camera sees. */
  video: RefObject<HTMLVideoElement | null>;
  /** For its `onLoadedData`. */
  onLoaded(): void;
  /** Whether there is a picture to take. */
  ready: boolean;
  error: PlainError | null;
  /**
   * @param mostPixels of the longer side; what is larger is made smaller
   * @returns a JPEG of what the camera sees now; null when there is nothing to see
   */
  take(mostPixels?: number): Promise<Blob | null>;
}

const JPEG_QUALITY = 0.92;

/** The camera, the one that looks away from the person if there are two; open for as long as the component is drawn. */
export function useCamera(): Camera {
  const video = useRef<HTMLVideoElement>(null);
  const [ready, setReady] = useState(false);
  const [error, setError] = useState<PlainError | null>(null);

  useEffect(() => {
    let closed = false;
    let stream: MediaStream | null = null;
    const stop = () => stream?.getTracks().forEach((track) => track.stop());
    openCamera()
      .then((opened) => {
        stream = opened;
        if (closed) stop();
        else if (video.current) video.current.srcObject = opened;
        for (const track of opened.getTracks()) track.addEventListener('ended', () => setError(toPlainError(cameraClosed(null))));
      })
      .catch((cause: unknown) => setError(toPlainError(cameraClosed(cause))));
    return () => {
      closed = true;
      stop();
    };
  }, []);

  async function take(mostPixels = Infinity): Promise<Blob | null> {
    const { current: source } = video;
    if (!source || source.videoWidth === 0) return null;
    const scale = Math.min(1, mostPixels / Math.max(source.videoWidth, source.videoHeight));
    const canvas = document.createElement('canvas');
    canvas.width = Math.round(source.videoWidth * scale);
    canvas.height = Math.round(source.videoHeight * scale);
    canvas.getContext('2d')!.drawImage(source, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', JPEG_QUALITY));
  }

  return { video, onLoaded: () => setReady(true), ready, error, take };
}

async function openCamera(): Promise<MediaStream> {
  // Pages that did not come over https have none.
  if (!('mediaDevices' in navigator)) throw new DOMException('No media devices.', 'SecurityError');
  return navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 1280 } } });
}

function cameraClosed(cause: unknown): NvlmError {
  const name = cause instanceof DOMException ? cause.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') {
    return new NvlmError(
      'usage',
      'This page may not use the camera.',
      name === 'NotAllowedError'
        ? 'Allow the camera for this page in the browser, then try again.'
        : 'Open the page over https or at localhost, or choose picture files instead.',
    );
  }
  if (name === 'NotFoundError') return new NvlmError('usage', 'There is no camera here.', 'Choose a picture file instead, or drop one.');
  return new NvlmError('usage', 'The camera could not be opened.', 'Close other programs that use it, or choose a picture file instead.');
}
