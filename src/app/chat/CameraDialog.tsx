import { useEffect, useRef, useState } from 'react';
import { Button } from '../components/Button.tsx';
import { Dialog } from '../components/Dialog.tsx';
import { Problem } from '../components/Notice.tsx';
import { NvlmError, toPlainError, type PlainError } from '../../errors.ts';
import { useApp } from '../state/hooks.ts';
import styles from './CameraDialog.module.css';

interface CameraDialogProps {
  onClose(): void;
  /** Takes the photo; without it, it becomes the picture that Chat and Tiles look at. */
  onPhoto?: (file: File) => void;
}

export function CameraDialog({ onClose, onPhoto }: CameraDialogProps) {
  const video = useRef<HTMLVideoElement>(null);
  const offerFile = useApp((state) => state.offerFile);
  const [ready, setReady] = useState(false);
  const [error, setError] = useState<PlainError | null>(null);

  useEffect(() => {
    let closed = false;
    let stream: MediaStream | null = null;
    const stop = () => stream?.getTracks().forEach((track) => track.stop());
    navigator.mediaDevices
      .getUserMedia({ video: { facingMode: 'environment', width: { ideal: 1280 } } })
      .then((opened) => {
        stream = opened;
        if (closed) stop();
        else if (video.current) video.current.srcObject = opened;
      })
      .catch((cause: unknown) => setError(toPlainError(cameraClosed(cause))));
    return () => {
      closed = true;
      stop();
    };
  }, []);

  async function shoot(): Promise<void> {
    const { current: source } = video;
    if (!source) return;
    const canvas = document.createElement('canvas');
    canvas.width = source.videoWidth;
    canvas.height = source.videoHeight;
    canvas.getContext('2d')!.drawImage(source, 0, 0);
    const file = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.92));
    onClose();
    if (!file) return;
    const photo = new File([file], 'photo.jpg', { type: file.type });
    if (onPhoto) onPhoto(photo);
    else await offerFile(photo, { kind: 'camera' });
  }

  return (
    <Dialog title="Take a photo" onClose={onClose}>
      {error ? (
        <Problem error={error} />
      ) : (
        <div className={styles.camera}>
          <video
            ref={video}
            autoPlay
            muted
            playsInline
            aria-label="What the camera sees"
            onLoadedData={() => setReady(true)}
          />
          <p className={styles.note}>
            The photo stays on this machine.{!onPhoto && ' The nano models read printed capitals and digits, not scenes.'}
          </p>
          <Button variant="primary" icon="camera" disabled={!ready} onClick={() => void shoot()}>
            {ready ? 'Take the photo' : 'Opening the camera…'}
          </Button>
        </div>
      )}
    </Dialog>
  );
}

function cameraClosed(cause: unknown): NvlmError {
  const name = cause instanceof DOMException ? cause.name : '';
  if (name === 'NotAllowedError') {
    return new NvlmError(
      'usage',
      'This page may not use the camera.',
      'Allow the camera for this page in the browser, then try again.',
    );
  }
  if (name === 'NotFoundError')
    return new NvlmError('usage', 'There is no camera here.', 'Choose a picture file instead, or drop one.');
  return new NvlmError(
    'usage',
    'The camera could not be opened.',
    'Close other programs that use it, or choose a picture file instead.',
  );
}
