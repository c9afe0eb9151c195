import { useRef } from 'react';
import { Button, IconButton } from '../components/Button.tsx';
import { useApp } from '../state/hooks.ts';
import { MOST_PICTURES, type SharedImage } from '../state/image-slice.ts';
import styles from './PictureStrip.module.css';
import { useModelKind } from './use-model-kind.ts';
import { useObjectUrl } from './use-object-url.ts';

/** The pictures of a conversation that may have several, each to be taken out; for other models, why it has one. */
export function PictureStrip() {
  const image = useApp((state) => state.image);
  const more = useApp((state) => state.moreImages);
  const addFiles = useApp((state) => state.addFiles);
  const removeImage = useApp((state) => state.removeImage);
  const announce = useApp((state) => state.announce);
  const { onePicture, takesPictures } = useModelKind();
  const chooser = useRef<HTMLInputElement>(null);
  const adder = useRef<HTMLButtonElement>(null);
  if (!image || !takesPictures) return null;
  const all = [image, ...more];

  function take(picture: SharedImage): void {
    removeImage(picture.id);
    announce(`${picture.name} taken out.`);
    // The control that was pressed goes with its picture.
    adder.current?.focus();
  }

  return (
    <div className={styles.strip}>
      {all.length > 1 && (
        <ul className={styles.pictures} aria-label="Pictures of this conversation">
          {all.map((picture, place) => (
            <li key={picture.id} data-unseen={(onePicture !== null && place > 0) || undefined}>
              <Thumbnail picture={picture} />
              <span className={styles.name} title={picture.name}>
                {place + 1}. {picture.name}
              </span>
              <IconButton icon="close" label={`Take ${picture.name} out`} onClick={() => take(picture)} />
            </li>
          ))}
        </ul>
      )}
      {onePicture === null ? (
        <>
          <Button
            ref={adder}
            icon="plus"
            size="small"
            disabled={all.length >= MOST_PICTURES}
            title={all.length >= MOST_PICTURES ? `A conversation has at most ${MOST_PICTURES} pictures here.` : undefined}
            onClick={() => chooser.current?.click()}
          >
            Add pictures
          </Button>
          <input
            ref={chooser}
            type="file"
            accept="image/*"
            multiple
            hidden
            data-testid="add-pictures"
            onChange={({ target }) => {
              const files = [...(target.files ?? [])];
              // The same file may be chosen twice in a row.
              target.value = '';
              if (files.length > 0) void addFiles(files);
            }}
          />
        </>
      ) : (
        <p className={styles.words}>
          {onePicture} {all.length > 1 ? 'It is shown the first.' : 'Another takes its place.'}
        </p>
      )}
    </div>
  );
}

function Thumbnail({ picture }: { picture: SharedImage }) {
  const url = useObjectUrl(picture);
  return url ? <img src={url} alt={picture.description ?? ''} /> : <span className={styles.empty} />;
}
