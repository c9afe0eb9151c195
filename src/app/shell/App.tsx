import { Suspense, useEffect } from 'react';
import { ToastView } from '../components/ToastView.tsx';
import { useRoute } from '../router.ts';
import { useApp } from '../state/hooks.ts';
import styles from './App.module.css';
import { DropTarget } from './DropTarget.tsx';
import { Header, SCREEN_TITLES } from './Header.tsx';
import { LossBanner } from './LossBanner.tsx';
import { ScreenBoundary } from './ScreenBoundary.tsx';
import { SCREEN_VIEWS } from './screens.tsx';

export function App() {
  const { screen } = useRoute();
  const View = SCREEN_VIEWS[screen];
  const announcement = useApp((state) => state.announcement);
  useEffect(() => {
    document.title = `${SCREEN_TITLES[screen]} · NVLM Playground`;
  }, [screen]);
  return (
    <>
      <a
        className={styles.skip}
        href="#main"
        onClick={(event) => {
          // The hash is the address of the screen: jump without writing it.
          event.preventDefault();
          document.getElementById('main')?.focus();
        }}
      >
        Skip to content
      </a>
      <Header screen={screen} />
      <main id="main" tabIndex={-1} className={styles.main} data-screen={screen}>
        <LossBanner />
        <ScreenBoundary key={screen} title={SCREEN_TITLES[screen]}>
          <Suspense fallback={<p className={styles.opening}>Opening {SCREEN_TITLES[screen]}…</p>}>
            <View />
          </Suspense>
        </ScreenBoundary>
      </main>
      <ToastView />
      <DropTarget />
      <div role="status" className="unseen">
        {announcement}
      </div>
    </>
  );
}
