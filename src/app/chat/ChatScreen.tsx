import styles from './ChatScreen.module.css';
import { Composer } from './Composer.tsx';
import { Conversation } from './Conversation.tsx';
import { ModelBar } from './ModelBar.tsx';
import { PicturePanel } from './PicturePanel.tsx';

export function ChatScreen() {
  return (
    <div className={styles.screen}>
      <h1 className="unseen">Chat with an image</h1>
      <section className={styles.picture} aria-label="Picture">
        <PicturePanel />
      </section>
      <section className={styles.talk} aria-label="Conversation">
        <ModelBar />
        <Conversation />
        <Composer />
      </section>
    </div>
  );
}
