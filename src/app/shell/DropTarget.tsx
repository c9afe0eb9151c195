import { useEffect, useState } from 'react';
import { Icon } from '../components/Icon.tsx';
import { NvlmError } from '../../errors.ts';
import { fromDrop, holdsModel } from '../models/picked-files.ts';
import { navigate } from '../router.ts';
import { useApp } from '../state/hooks.ts';
import styles from './DropTarget.module.css';

/** The whole page takes pictures, dropped and pasted, and model folders, on every screen. */
export function DropTarget() {
  const offerFiles = useApp((state) => state.offerFiles);
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
        const files = [...(event.dataTransfer?.files ?? [])];
        const link = holds(event, 'text/uri-list');
        if (files.length === 0 && !link) return;
        event.preventDefault();
        if (files.length > 0) void offerFiles(files, { kind: 'drop' });
        else reportImageError(linkDropped());
      },
      paste(event: ClipboardEvent) {
        const files = [...(event.clipboardData?.files ?? [])];
        if (files.length === 0) return;
        event.preventDefault();
        void offerFiles(files, { kind: 'paste' });
      },
    };
    for (const [name, listener] of Object.entries(listeners)) window.addEventListener(name, listener as EventListener);
    return () => {
      for (const [name, listener] of Object.entries(listeners)) window.removeEventListener(name, listener as EventListener);
    };
  }, [offerFiles, planModel, reportImageError]);

  if (!over) return null;
  return (
    <div className={styles.veil}>
      <p>
        <Icon name="image" size={28} />
        Drop pictures or a model folder anywhere
      </p>
    </div>
  );
}

function linkDropped(): NvlmError {
  return new NvlmError(
    'bad-image',
    'That was a link to a picture; this page fetches nothing from elsewhere.',
    'Copy the picture itself and paste it here, or save it and drop the file.',
  );
}
