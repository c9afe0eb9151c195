import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { Plugin, ResolvedConfig, Rolldown } from 'vite';

const workerName = 'service-worker';

/**
 * Makes the built site work without a network after the first visit: builds `service-worker.ts` into `service-worker.js` beside
 * the page, tells it every file to keep, and has the page register it. Weights are not among the files: the engine stores
 * those of the models that were loaded.
 */
export function offlinePlugin(): Plugin {
  let config: ResolvedConfig;
  return {
    name: 'offline',
    apply: 'build',
    config: () => ({
      build: {
        rolldownOptions: {
          input: { index: 'index.html', [workerName]: 'build/service-worker.ts' },
          output: {
            // The worker's address must not change from version to version, or the old one would never be replaced.
            entryFileNames: ({ name }) => (name === workerName ? '[name].js' : 'assets/[name]-[hash].js'),
          },
        },
      },
    }),
    configResolved(resolved) {
      config = resolved;
    },
    transformIndexHtml: {
      order: 'pre',
      handler: () => [{ tag: 'script', attrs: { type: 'module', src: '/build/register-service-worker.ts' }, injectTo: 'head' }],
    },
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        const worker = bundle[`${workerName}.js`];
        if (worker?.type !== 'chunk') throw new Error('the service worker was not built');
        if (worker.imports.length > 0) throw new Error('the service worker must stand alone, but a chunk of it is shared');
        const fingerprint = createHash('sha256');
        const files: string[] = [];
        for (const [name, output] of Object.entries(bundle)) {
          if (output === worker || name.endsWith('.map')) continue;
          files.push(name);
          fingerprint.update(name).update(output.type === 'chunk' ? output.code : output.source);
        }
        for (const name of publicFiles(config.publicDir)) {
          if (name.endsWith('.safetensors')) continue;
          files.push(name);
          fingerprint.update(name).update(readFileSync(join(config.publicDir, name)));
        }
        const version = fingerprint.digest('hex').slice(0, 16);
        worker.code = worker.code
          .replaceAll('__PRECACHED_FILES__', JSON.stringify(files.sort()))
          .replaceAll('__PAGE_SHA256__', JSON.stringify(createHash('sha256').update(pageOf(bundle)).digest('hex')))
          .replaceAll('__PRECACHE_VERSION__', JSON.stringify(version));
      },
    },
  };
}

function pageOf(bundle: Rolldown.OutputBundle): string | Uint8Array {
  const page = bundle['index.html'];
  if (page?.type !== 'asset') throw new Error('the page was not built');
  return page.source;
}

function publicFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
}
