import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { contentSecurityPolicyPlugin } from '../../../build/content-security-policy.ts';

/** A page for tests alone, built as the real one is (bundled worker, same policy) and never shipped. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  plugins: [contentSecurityPolicyPlugin()],
  worker: { format: 'es' },
  build: {
    outDir: fileURLToPath(new URL('../../../.cache/harness', import.meta.url)),
    emptyOutDir: true,
    target: 'es2022',
    chunkSizeWarningLimit: 2500,
    assetsInlineLimit: 0,
  },
  preview: { host: 'localhost' },
});
