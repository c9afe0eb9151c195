import { lazy, Suspense, useEffect } from 'react';
import { ChatScreen } from '../chat/ChatScreen.tsx';
import { ToastView } from '../components/ToastView.tsx';
import { DeviceScreen } from '../device/DeviceScreen.tsx';
import { ModelsScreen } from '../models/ModelsScreen.tsx';
import { useRoute, type Screen } from '../router.ts';
import { useApp } from '../state/hooks.ts';
import styles from './App.module.css';
import { DropTarget } from './DropTarget.tsx';
import { Header, SCREEN_TITLES } from './Header.tsx';
import { LossBanner } from './LossBanner.tsx';

const TilesScreen = lazy(() => import('../tiles/TilesScreen.tsx'));

const SCREENS: Record<Screen, () => React.ReactNode> = {
  chat: () => <ChatScreen />,
  tiles: () => <TilesScreen />,
  models: () => <ModelsScreen />,
  device: () => <DeviceScreen />,
};

export function App() {
  const { screen } = useRoute();
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
        <Suspense fallback={<p className={styles.opening}>Opening {SCREEN_TITLES[screen]}…</p>}>
          {SCREENS[screen]()}
        </Suspense>
      </main>
      <ToastView />
      <DropTarget />
      <div role="status" className="unseen">
        {announcement}
      </div>
    </>
  );
}
