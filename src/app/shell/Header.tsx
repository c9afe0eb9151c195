import { useState } from 'react';
import { backendName } from '../gpu-adapter-name.ts';
import { IconButton } from '../components/Button.tsx';
import { Icon, type IconName } from '../components/Icon.tsx';
import { hrefFor, SCREENS, useRoute, type Screen } from '../router.ts';
import { useApp } from '../state/hooks.ts';
import { isTraining } from '../state/finetune-slice.ts';
import type { Theme } from '../state/settings-slice.ts';
import styles from './Header.module.css';
import { fetchScreen } from './screens.tsx';
import { ShortcutsDialog, useShortcut } from './ShortcutsDialog.tsx';

export const SCREEN_TITLES: Record<Screen, string> = {
  chat: 'Chat',
  tiles: 'Tiles',
  inside: 'Inside',
  compare: 'Compare',
  finetune: 'Fine-tune',
  lab: 'Lab',
  models: 'Models',
  device: 'Device',
};

const THEMES: Record<Theme, { icon: IconName; next: Theme; label: string }> = {
  system: { icon: 'half', next: 'light', label: 'Colours: as the system. Switch to light' },
  light: { icon: 'sun', next: 'dark', label: 'Colours: light. Switch to dark' },
  dark: { icon: 'moon', next: 'system', label: 'Colours: dark. Switch to the system’s' },
};

export function Header({ screen }: { screen: Screen }) {
  const route = useRoute();
  const [helpOpen, setHelpOpen] = useState(false);
  useShortcut('?', () => setHelpOpen(true));
  return (
    <header className={styles.header}>
      <a className={styles.brand} href={hrefFor('chat', route)} aria-label="NVLM Playground">
        <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
          <rect x="3" y="3" width="12" height="12" rx="3" />
          <rect x="17" y="3" width="12" height="12" rx="3" opacity="0.7" />
          <rect x="3" y="17" width="12" height="12" rx="3" opacity="0.7" />
          <rect x="17" y="17" width="12" height="12" rx="3" opacity="0.4" />
        </svg>
        <span>
          NVLM <span className={styles.light}>Playground</span>
        </span>
      </a>
      <nav aria-label="Screens" className={styles.nav}>
        {SCREENS.map((name) => (
          <a
            key={name}
            href={hrefFor(name, route)}
            aria-current={name === screen ? 'page' : undefined}
            onPointerEnter={() => fetchScreen(name)}
            onFocus={() => fetchScreen(name)}
          >
            <Icon name={name} />
            {SCREEN_TITLES[name]}
            {name === 'finetune' && <TrainingBadge />}
            {name === 'lab' && <LabBadge />}
          </a>
        ))}
      </nav>
      <div className={styles.tools}>
        <DeviceChip />
        <ThemeButton />
        <span className={styles.help}>
          <IconButton icon="help" label="Keyboard shortcuts" onClick={() => setHelpOpen(true)} />
        </span>
      </div>
      {helpOpen && <ShortcutsDialog onClose={() => setHelpOpen(false)} />}
    </header>
  );
}

/** How far this tab's run is, seen from every screen. */
function TrainingBadge() {
  const percent = useApp((state) => {
    const { liveRun } = state;
    if (!isTraining(state) || !liveRun) return null;
    const steps = Number(liveRun.request.run['steps']);
    return Math.floor((100 * (liveRun.history.steps.at(-1) ?? 0)) / Math.max(1, steps));
  });
  return percent === null ? null : <span className={styles.badge}>{percent} %</span>;
}

/** How many of this tab's experiment are done. */
function LabBadge() {
  const live = useApp((state) => state.labLive);
  return live ? (
    <span className={styles.badge}>
      {live.doneCells} of {live.cells}
    </span>
  ) : null;
}

function DeviceChip() {
  const route = useRoute();
  const device = useApp((state) => state.device);
  const switching = useApp((state) => state.switchingTo !== null);
  const software = device?.adapter?.software ?? false;
  if (!device) return <span className={styles.chip}>{switching ? 'opening device…' : 'no device'}</span>;
  return (
    <a className={styles.chip} href={hrefFor('device', route)} title={device.reason} data-tone={software ? 'warn' : undefined}>
      {software && <Icon name="warning" size={14} />}
      <span>{backendName(device)}</span>
    </a>
  );
}

function ThemeButton() {
  const theme = useApp((state) => state.theme);
  const setTheme = useApp((state) => state.setTheme);
  const { icon, next, label } = THEMES[theme];
  return <IconButton icon={icon} label={label} onClick={() => setTheme(next)} />;
}
