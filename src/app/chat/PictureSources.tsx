import { useRef, useState } from 'react';
import { Button } from '../components/Button.tsx';
import { NvlmError } from '../../errors.ts';
import { useApp } from '../state/hooks.ts';
import { CameraDialog } from './CameraDialog.tsx';
import styles from './PictureSources.module.css';

const ACCEPTED = 'image/*';

/** Ways to one's own picture. Dropping and pasting work on the whole page, see DropTarget. */
export function PictureSources() {
  const offerFile = useApp((state) => state.offerFile);
  const offerFiles = useApp((state) => state.offerFiles);
  const reportImageError = useApp((state) => state.reportImageError);
  const chooser = useRef<HTMLInputElement>(null);
  const photo = useRef<HTMLInputElement>(null);
  const [cameraOpen, setCameraOpen] = useState(false);

  function take(input: HTMLInputElement, kind: 'file' | 'camera'): void {
    const files = [...(input.files ?? [])];
    // The same file may be chosen twice in a row.
    input.value = '';
    void offerFiles(files, { kind });
  }

  async function paste(): Promise<void> {
    try {
      const items = await navigator.clipboard.read();
      const item = items.find(({ types }) => types.some((type) => type.startsWith('image/')));
      const type = item?.types.find((name) => name.startsWith('image/'));
      if (!item || !type) throw new NvlmError('bad-image', 'There is no picture on the clipboard.', 'Copy one first, then paste.');
      await offerFile(await item.getType(type), { kind: 'paste' });
    } catch (error) {
      reportImageError(error instanceof NvlmError ? error : clipboardClosed());
    }
  }

  return (
    <div className={styles.sources}>
      <Button icon="image" aria-label="Choose a picture" onClick={() => chooser.current?.click()}>
        Choose
      </Button>
      {'clipboard' in navigator && 'read' in navigator.clipboard && (
        <Button icon="paste" aria-label="Paste a picture" onClick={() => void paste()}>
          Paste
        </Button>
      )}
      <Button
        icon="camera"
        aria-label="Take a photo"
        onClick={() => {
          // Phones have a camera app that beats any page; elsewhere the page shows what the camera sees.
          if (window.matchMedia('(pointer: coarse)').matches || !navigator.mediaDevices) photo.current?.click();
          else setCameraOpen(true);
        }}
      >
        Photo
      </Button>
      <input
        ref={chooser}
        type="file"
        accept={ACCEPTED}
        multiple
        hidden
        data-testid="choose-picture"
        onChange={(event) => take(event.target, 'file')}
      />
      <input ref={photo} type="file" accept={ACCEPTED} capture="environment" hidden onChange={(event) => take(event.target, 'camera')} />
      {cameraOpen && <CameraDialog onClose={() => setCameraOpen(false)} />}
    </div>
  );
}

function clipboardClosed(): NvlmError {
  return new NvlmError('usage', 'The browser does not let this page read the clipboard.', 'Press Ctrl+V (⌘V) instead: that always works.');
}
