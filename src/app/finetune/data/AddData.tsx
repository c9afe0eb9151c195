import { useEffect, useRef, useState } from 'react';
import { NvlmError } from '../../../errors.ts';
import { CameraDialog } from '../../chat/CameraDialog.tsx';
import { Button } from '../../components/Button.tsx';
import { Icon } from '../../components/Icon.tsx';
import { Problem } from '../../components/Notice.tsx';
import { formatBytes, formatCount } from '../../format.ts';
import styles from './AddData.module.css';
import { BurstDialog } from './BurstDialog.tsx';
import { ColumnsDialog } from './ColumnsDialog.tsx';
import { filesOfDrop, filesOfList } from './dropped-files.ts';
import { GenerateDialog } from './GenerateDialog.tsx';
import { LabelsDialog } from './LabelsDialog.tsx';
import type { Importing } from './use-import.ts';
import { WebDialog } from './WebDialog.tsx';

const ACCEPTED = 'image/*,.json,.jsonl,.ndjson,.csv,.tsv,.parquet,.zip';

/** Every way in: dropping and pasting anywhere on the page, choosing, a folder, the camera, the web, drawing. */
export function AddData({ importing, large }: { importing: Importing; large: boolean }) {
  const chooser = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const photo = useRef<HTMLInputElement>(null);
  const [dialog, setDialog] = useState<'camera' | 'bursts' | 'web' | 'generate' | null>(null);
  const over = useWholePage(importing);
  const close = () => setDialog(null);

  function take(input: HTMLInputElement): void {
    const files = filesOfList(input.files ?? []);
    // The same file may be chosen twice in a row.
    input.value = '';
    void importing.takeFiles(files);
  }

  async function paste(): Promise<void> {
    try {
      const items = await navigator.clipboard.read();
      const blobs = await Promise.all(
        items.flatMap((item) => item.types.filter((type) => type.startsWith('image/')).map((type) => item.getType(type))),
      );
      if (blobs.length === 0) throw new NvlmError('bad-image', 'There is no picture on the clipboard.', 'Copy one first, then paste.');
      await importing.takeFiles(blobs.map((blob, i) => ({ path: `pasted-${i + 1}.png`, blob })));
    } catch (error) {
      const closed = new NvlmError('usage', 'The browser does not let this page read the clipboard.', 'Press Ctrl+V (⌘V).');
      importing.fail(error instanceof NvlmError ? error : closed);
    }
  }

  return (
    <section className={styles.add} data-large={large || undefined} data-over={over || undefined} aria-label="Add data">
      {large && (
        <p className={styles.lead}>
          <Icon name="image" size={24} />
          <strong>Drop pictures here</strong>
          <span>or a folder, a zip, LLaVA JSON, CSV or parquet. Nothing leaves this machine.</span>
        </p>
      )}
      <div className={styles.buttons}>
        <Button icon="image" variant={large ? 'primary' : 'secondary'} onClick={() => chooser.current?.click()}>
          {large ? 'Choose files' : 'Add files'}
        </Button>
        <Button icon="models" onClick={() => folder.current?.click()}>
          Folder
        </Button>
        {'clipboard' in navigator && 'read' in navigator.clipboard && (
          <Button icon="paste" onClick={() => void paste()}>
            Paste
          </Button>
        )}
        <Button
          icon="camera"
          onClick={() => {
            if (window.matchMedia('(pointer: coarse)').matches || !navigator.mediaDevices) photo.current?.click();
            else setDialog('camera');
          }}
        >
          Photo
        </Button>
        <Button icon="camera" onClick={() => setDialog('bursts')}>
          Record labels
        </Button>
        <Button icon="download" onClick={() => setDialog('web')}>
          From the web
        </Button>
        <Button icon="pencil" onClick={() => setDialog('generate')}>
          Draw examples
        </Button>
      </div>
      <input
        ref={chooser}
        type="file"
        multiple
        hidden
        accept={ACCEPTED}
        data-testid="choose-data"
        onChange={(event) => take(event.target)}
      />
      <input
        ref={(input) => {
          folder.current = input;
          // React knows no such property.
          input?.setAttribute('webkitdirectory', '');
        }}
        type="file"
        hidden
        onChange={(event) => take(event.target)}
      />
      <input ref={photo} type="file" hidden accept="image/*" capture="environment" onChange={(event) => take(event.target)} />
      {importing.busy && <Progress importing={importing} />}
      {importing.error && <Problem error={importing.error} onDismiss={importing.dismiss} />}
      {dialog === 'camera' && (
        <CameraDialog onClose={close} onPhoto={(file) => void importing.takeFiles([{ path: file.name, blob: file }])} />
      )}
      {dialog === 'bursts' && <BurstDialog onClose={close} onUse={(files) => (close(), void importing.takeFiles(files))} />}
      {dialog === 'web' && <WebDialog onClose={close} onAddress={(address) => (close(), void importing.takeAddress(address))} />}
      {dialog === 'generate' && (
        <GenerateDialog onClose={close} onGenerate={(title, request) => (close(), void importing.generate(title, request))} />
      )}
      {importing.waiting?.tables[0] ? (
        <ColumnsDialog
          table={importing.waiting.tables[0]}
          onClose={importing.stop}
          onConfirm={(mapping) => void importing.confirm({ mapping })}
        />
      ) : (
        importing.waiting && (
          <LabelsDialog {...importing.waiting} onClose={importing.stop} onConfirm={(choices) => void importing.confirm(choices)} />
        )
      )}
      {over && !large && <div className={styles.veil}>Drop to add to this dataset</div>}
    </section>
  );
}

function Progress({ importing: { progress, stop } }: { importing: Importing }) {
  const { what = 'Reading', done = 0, total = 0, unit = 'records' } = progress ?? {};
  const number = unit === 'bytes' ? formatBytes : formatCount;
  return (
    <div className={styles.progress} role="status">
      <span>{what}…</span>
      <progress aria-label={what} max={total > 0 ? total : undefined} value={total > 0 ? done : undefined} />
      <span className={styles.numbers}>{done > 0 && `${number(done)}${total > 0 ? ` of ${number(total)}` : ''}`}</span>
      <Button size="small" icon="stop" onClick={stop}>
        Stop
      </Button>
    </div>
  );
}

/**
 * Takes what is dropped or pasted anywhere, ahead of the page's own target, which would show it in Chat.
 *
 * @returns whether files are held over the page
 */
function useWholePage({ takeFiles }: Importing): boolean {
  const [over, setOver] = useState(false);
  const take = useRef(takeFiles);
  useEffect(() => {
    take.current = takeFiles;
  });
  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    const mine = (event: Event) => {
      event.preventDefault();
      event.stopPropagation();
    };
    const listeners: Record<string, (event: never) => void> = {
      dragover(event: DragEvent) {
        if (!hasFiles(event)) return;
        mine(event);
        setOver(true);
      },
      dragleave(event: DragEvent) {
        if (event.relatedTarget === null) setOver(false);
      },
      drop(event: DragEvent) {
        setOver(false);
        if (!hasFiles(event)) return;
        mine(event);
        void take.current(filesOfDrop(event.dataTransfer!));
      },
      paste(event: ClipboardEvent) {
        const files = [...(event.clipboardData?.files ?? [])];
        if (files.length === 0) return;
        mine(event);
        void take.current(files.map((file) => ({ path: file.name || 'pasted.png', blob: file })));
      },
    };
    const all = Object.entries(listeners) as [string, (event: Event) => void][];
    for (const [name, listener] of all) window.addEventListener(name, listener, true);
    return () => {
      for (const [name, listener] of all) window.removeEventListener(name, listener, true);
    };
  }, []);
  return over;
}
