import '../bridge/trusted-types.ts';
import { startTransition, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createEngineClient } from './engine-client.ts';
import { convertToPng } from './picture-conversion.ts';
import { createPicturesClient } from './pictures-client.ts';
import { createPreferences } from './preferences.ts';
import { headStartOf } from './first-visit.ts';
import { currentRoute } from './router.ts';
import { App } from './shell/App.tsx';
import { fetchScreen } from './shell/screens.tsx';
import { modelOf, startApp } from './start.ts';
import { createAppStore } from './state/app-store.ts';
import { AppContext } from './state/hooks.ts';
import './theme.css';

// The worker starts before anything is drawn: the model is on its way while the page builds itself.
const preferences = createPreferences();
const engine = createEngineClient(headStartOf(modelOf(currentRoute().params), preferences));
const store = createAppStore({
  engine,
  preferences,
  convertPicture: convertToPng,
  now: () => performance.now(),
});
const pictures = createPicturesClient();
startApp(store, pictures);
fetchScreen(currentRoute().screen);

// As a transition it is rendered in slices; otherwise the first render is one task.
startTransition(() => {
  createRoot(document.getElementById('root')!).render(
    <StrictMode>
      <AppContext value={{ store, engine, pictures }}>
        <App />
      </AppContext>
    </StrictMode>,
  );
});
