import type { ReactNode } from 'react';
import type { BackendChoice, DeviceInfo } from '../../engine/api.ts';
import { gpuAdapterName } from '../gpu-adapter-name.ts';
import { Button } from '../components/Button.tsx';
import { FactList } from '../components/FactList.tsx';
import { Notice, Problem } from '../components/Notice.tsx';
import { formatBytes, formatCount } from '../format.ts';
import { useApp } from '../state/hooks.ts';
import styles from './DeviceScreen.module.css';
import { VerifyCard } from './VerifyCard.tsx';
import { useBrowserFacts, type BrowserFacts } from './browser-facts.ts';

const CHOICES: { value: BackendChoice; title: string; words: string }[] = [
  {
    value: 'auto',
    title: 'Best there is',
    words: 'WebGPU on a real graphics card, else wasm, else cpu. Never a software GPU adapter.',
  },
  {
    value: 'webgpu',
    title: 'WebGPU',
    words: 'Custom compute shaders on the graphics card; on a software GPU adapter too when there is no other.',
  },
  { value: 'wasm', title: 'wasm', words: 'WebAssembly with SIMD, on as many cores of the processor as help.' },
  { value: 'cpu', title: 'cpu', words: 'Plain JavaScript: works everywhere, some fifty times slower than wasm.' },
];

const BYTE_LIMITS = /(?:Size|BufferBindingSize|StorageSize)$/;

export default function DeviceScreen() {
  const device = useApp((state) => state.device);
  const facts = useBrowserFacts();
  return (
    <div className={styles.screen}>
      <h1>Device</h1>
      <div className={styles.columns}>
        <section className={styles.card} aria-labelledby="device-now">
          <h2 id="device-now">What computes now</h2>
          {device ? <Now device={device} /> : <p className={styles.muted}>No device is open.</p>}
        </section>
        <BackendForm />
        <VerifyCard />
        <section className={styles.card} aria-labelledby="device-browser">
          <h2 id="device-browser">This browser</h2>
          <FactList className={styles.facts} facts={browserRows(facts)} />
          <ReportButton device={device} facts={facts} />
        </section>
        {device && device.features.length + Object.keys(device.limits).length > 0 && (
          <section className={styles.card} aria-labelledby="device-limits">
            <h2 id="device-limits">Features and limits</h2>
            <ul className={styles.features}>
              {[...device.features].sort().map((feature) => (
                <li key={feature}>{feature}</li>
              ))}
            </ul>
            <FactList className={styles.facts} facts={limitRows(device.limits)} mono />
          </section>
        )}
      </div>
    </div>
  );
}

function Now({ device }: { device: DeviceInfo }) {
  const rows: [string, ReactNode][] = [['Backend', device.backend === 'webgpu' ? 'WebGPU' : device.backend]];
  if (device.adapter) {
    rows.push(['GPU adapter', gpuAdapterName(device.adapter)]);
    rows.push(['Kind', device.adapter.software ? 'software: rendered on the processor' : 'hardware']);
  } else {
    rows.push(['Threads', device.threads]);
  }
  return (
    <>
      <p className={styles.reason}>{device.reason}</p>
      <FactList className={styles.facts} facts={rows} />
      {device.threadsReason && <p className={styles.muted}>{device.threadsReason}</p>}
      {device.adapter?.software && (
        <Notice tone="warn">
          <p>A software GPU adapter imitates a graphics card on the processor: expect some thirty times less speed than with wasm.</p>
        </Notice>
      )}
    </>
  );
}

function BackendForm() {
  const choice = useApp((state) => state.backendChoice);
  const switchingTo = useApp((state) => state.switchingTo);
  const error = useApp((state) => state.deviceError);
  const openDevice = useApp((state) => state.openDevice);
  return (
    <section className={styles.card}>
      <fieldset className={styles.choices} disabled={switchingTo !== null}>
        <legend>
          <h2>Compute with</h2>
        </legend>
        {CHOICES.map(({ value, title, words }) => (
          <label key={value}>
            <input type="radio" name="backend" checked={(switchingTo ?? choice) === value} onChange={() => void openDevice(value)} />
            <span>
              <strong>{title}</strong>
              <span>{words}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <p className={styles.muted} role="status">
        {switchingTo ? 'Opening the device…' : 'A loaded model is loaded again on the new device.'}
      </p>
      {error && <Problem error={error} />}
    </section>
  );
}

function ReportButton({ device, facts }: { device: DeviceInfo | null; facts: BrowserFacts }) {
  const showToast = useApp((state) => state.showToast);
  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(JSON.stringify({ device, browser: facts }, null, 2));
      showToast('Report copied: device, limits and browser as JSON.');
    } catch {
      showToast('The browser does not allow copying here.');
    }
  }
  return (
    <Button size="small" icon="copy" onClick={() => void copy()}>
      Copy as a report
    </Button>
  );
}

function browserRows(facts: BrowserFacts): [string, ReactNode][] {
  const { usage, quota } = facts.storage ?? {};
  return [
    ['WebGPU', facts.webgpu ? 'offered' : 'not offered'],
    ['Processor', `${formatCount(facts.cores)} logical cores`],
    ['Storage', quota === undefined ? 'not told' : `${formatBytes(usage ?? 0)} used of ${formatBytes(quota)}`],
    ['Connection', facts.online ? 'online' : 'offline'],
  ];
}

function limitRows(limits: Record<string, number>): [string, ReactNode][] {
  return Object.entries(limits).map(([name, value]) => [name, BYTE_LIMITS.test(name) ? formatBytes(value) : formatCount(value)]);
}
