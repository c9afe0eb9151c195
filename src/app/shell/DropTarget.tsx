import { useEffect, useState } from 'react';
import { Icon } from '../components/Icon.tsx';
import { NvlmError } from '../../errors.ts';
import { fromDrop, holdsModel } from '../models/picked-files.ts';
import { navigate } from '../router.ts';
import { useApp } from '../state/hooks.ts';
import styles from './DropTarget.module.css';

/** The whole page takes pictures, dropped and pasted, and model folders, on every screen. */
export function DropTarget() {
  const offerFile = useApp((state) => state.offerFile);
  const reportImageError = useApp((state) => state.reportImageError);
  const planModel = useApp((state) => state.planModel);
  const [over, setOver] = useState(false);

  useEffect(() => {
    const holds = (event: DragEvent, type: string) => event.dataTransfer?.types.includes(type) ?? false;
    const listeners = {
      dragover(event: DragEvent) {
        // Plain text may be dropped into the question as ever.
        if (!holds(event, 'Files') && !holds(event, 'text/uri-list')) return;
        event.preventDefault();
        setOver(holds(event, 'Files'));
      },
      dragleave(event: DragEvent) {
        if (event.relatedTarget === null) setOver(false);
      },
      drop(event: DragEvent) {
        setOver(false);
        if (holdsModel(event.dataTransfer)) {
          event.preventDefault();
          navigate('models');
          void fromDrop(event.dataTransfer!).then((source) => source && planModel(source));
          return;
        }
        const file = firstPicture(event.dataTransfer?.files);
        const link = holds(event, 'text/uri-list');
        if (!file && !link) return;
        event.preventDefault();
        if (file) void offerFile(file, { kind: 'drop' });
        else reportImageError(linkDropped());
      },
      paste(event: ClipboardEvent) {
        const file = firstPicture(event.clipboardData?.files);
        if (!file) return;
        event.preventDefault();
        void offerFile(file, { kind: 'paste' });
      },
    };
    for (const [name, listener] of Object.entries(listeners)) window.addEventListener(name, listener as EventListener);
    return () => {
      for (const [name, listener] of Object.entries(listeners)) window.removeEventListener(name, listener as EventListener);
    };
  }, [offerFile, planModel, reportImageError]);

  if (!over) return null;
  return (
    <div className={styles.veil}>
      <p>
        <Icon name="image" size={28} />
        Drop a picture or a model folder anywhere
      </p>
    </div>
  );
}

/** A picture among the files, or the first file, so that it can be said what is wrong with it. */
function firstPicture(files: FileList | undefined): File | undefined {
  const all = [...(files ?? [])];
  return all.find((file) => file.type.startsWith('image/')) ?? all[0];
}

function linkDropped(): NvlmError {
  return new NvlmError(
    'bad-image',
    'That was a link to a picture; this page fetches nothing from elsewhere.',
    'Copy the picture itself and paste it here, or save it and drop the file.',
  );
}
