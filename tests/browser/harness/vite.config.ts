import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { contentSecurityPolicyPlugin } from '../../../build/content-security-policy.ts';
import { isolationHeaders } from '../../../build/isolation.ts';
import { moduleWorkers } from '../../../build/module-workers.ts';
import { tfjsAlias } from '../../../build/tfjs-alias.ts';

/** A page for tests alone, built as the real one is (bundled worker, same policy) and never shipped. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  publicDir: fileURLToPath(new URL('../../fixtures/goldens', import.meta.url)),
  plugins: [contentSecurityPolicyPlugin()],
  resolve: { alias: [tfjsAlias] },
  worker: moduleWorkers,
  build: {
    outDir: fileURLToPath(new URL('../../../.cache/harness', import.meta.url)),
    emptyOutDir: true,
    target: 'es2022',
    rolldownOptions: { checks: { pluginTimings: false } },
    chunkSizeWarningLimit: 1500,
    assetsInlineLimit: 0,
  },
  preview: { host: 'localhost', headers: isolationHeaders },
});
