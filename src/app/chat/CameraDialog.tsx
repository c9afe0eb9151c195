import { Button } from '../components/Button.tsx';
import { Dialog } from '../components/Dialog.tsx';
import { Problem } from '../components/Notice.tsx';
import { useCamera } from '../components/use-camera.ts';
import { useApp } from '../state/hooks.ts';
import styles from './CameraDialog.module.css';

interface CameraDialogProps {
  onClose(): void;
  /** Takes the photo; without it, it becomes the picture that Chat and Tiles look at. */
  onPhoto?: (file: File) => void;
}

export function CameraDialog({ onClose, onPhoto }: CameraDialogProps) {
  const offerFile = useApp((state) => state.offerFile);
  const { video, onLoaded, ready, error, take } = useCamera();

  async function shoot(): Promise<void> {
    const file = await take();
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
          <video ref={video} autoPlay muted playsInline aria-label="What the camera sees" onLoadedData={onLoaded} />
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
