import { lazy, Suspense, useState } from 'react';
import { Button } from '../components/Button.tsx';
import { activeAdapters } from '../state/adapter-slice.ts';
import { useApp } from '../state/hooks.ts';

/** Only for those who open it: the first answer does not wait for its script. */
const AdapterPanel = lazy(() => import('./AdapterPanel.tsx'));

/** Opens and closes the adapters, and tells how many of them answer. */
export function useAdapterControl() {
  const [open, setOpen] = useState(false);
  const count = useApp((state) => activeAdapters(state).length);
  const comparing = useApp((state) => state.comparing);
  const button = (
    <Button
      size="small"
      variant={count > 0 ? 'secondary' : 'quiet'}
      icon="sliders"
      aria-expanded={open}
      aria-controls={open ? 'adapters' : undefined}
      onClick={() => setOpen(!open)}
    >
      Adapters{count > 0 ? ` (${count}${comparing ? ', compared' : ''})` : ''}
    </Button>
  );
  const panel = open && (
    <Suspense fallback={null}>
      <AdapterPanel />
    </Suspense>
  );
  return { button, panel };
}
