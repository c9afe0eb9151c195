import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { asExpression, resultOf, type DrivenBrowser } from './driven-browser.ts';

const DRIVER = '/usr/bin/WebKitWebDriver';
const SCREEN = '/usr/bin/Xvfb';
const LIBRARIES = '/usr/lib';

interface WebKitPrograms {
  driver: string;
  miniBrowser: string;
  screen: string;
}

/** WebKitGTK's own small browser, its driver and a screen for it (Debian: `webkit2gtk-driver`, `xvfb`); null where one is missing. */
export function findWebKit(): WebKitPrograms | null {
  if (!existsSync(DRIVER) || !existsSync(SCREEN)) return null;
  const miniBrowser = readdirSync(LIBRARIES)
    .flatMap((folder) => ['webkitgtk-6.0', 'webkit2gtk-4.1', 'webkit2gtk-4.0'].map((name) => join(LIBRARIES, folder, name, 'MiniBrowser')))
    .find((path) => existsSync(path));
  return miniBrowser ? { driver: DRIVER, miniBrowser, screen: SCREEN } : null;
}

/** WebKitGTK over the W3C's WebDriver: a few calls over HTTP. */
export async function openWebKit({ driver, miniBrowser, screen }: WebKitPrograms): Promise<DrivenBrowser> {
  const display = `:${100 + (process.pid % 400)}`;
  const port = await freePort();
  const started: ChildProcess[] = [spawn(screen, [display, '-screen', '0', '1280x900x24', '-nolisten', 'tcp'], { stdio: 'ignore' })];
  // Its sandbox needs user namespaces, which containers and root do not have.
  const env = { ...process.env, DISPLAY: display, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1' };
  started.push(spawn(driver, [`--port=${port}`], { stdio: 'ignore', env }));
  const end = () => {
    for (const program of started.reverse()) program.kill();
  };
  process.once('exit', end);

  async function call<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body && JSON.stringify(body) });
    const { value } = (await response.json()) as { value: T & { error?: string; message?: string } };
    if (!response.ok) throw new Error(`${value?.error}: ${value?.message}`);
    return value;
  }

  try {
    await untilAnswers(() => call('GET', '/status'));
    const wanted = { 'webkitgtk:browserOptions': { binary: miniBrowser, args: ['--automation'] } };
    const session = await call<{ sessionId: string; capabilities: { browserVersion: string } }>('POST', '/session', {
      capabilities: { alwaysMatch: wanted },
    });
    const at = `/session/${session.sessionId}`;
    await call('POST', `${at}/timeouts`, { script: 600_000, pageLoad: 120_000 });
    return {
      name: 'WebKit',
      version: session.capabilities.browserVersion,
      open: (url) => call('POST', `${at}/url`, { url }),
      run: async <T>(code: string, ...args: unknown[]) =>
        resultOf<T>(
          await call<string>('POST', `${at}/execute/async`, { script: `${asExpression(code, args)}.then(arguments[0])`, args: [] }),
        ),
      async close() {
        await call('DELETE', at).catch(() => undefined);
        end();
      },
    };
  } catch (error) {
    end();
    throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function untilAnswers(ask: () => Promise<unknown>): Promise<void> {
  for (let left = 100; ; left--) {
    try {
      return void (await ask());
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
