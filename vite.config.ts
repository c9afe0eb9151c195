import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { contentSecurityPolicy, contentSecurityPolicyPlugin } from './build/content-security-policy.ts';
import { isolationHeaders } from './build/isolation.ts';
import { moduleWorkers } from './build/module-workers.ts';
import { offlinePlugin } from './build/offline.ts';
import { tfjsAlias } from './build/tfjs-alias.ts';

export default defineConfig({
  // Relative, so the built site works from any path.
  base: './',
  plugins: [react(), contentSecurityPolicyPlugin(), offlinePlugin()],
  resolve: { alias: [tfjsAlias] },
  worker: moduleWorkers,
  build: {
    target: 'es2022',
    rolldownOptions: { checks: { pluginTimings: false } },
    // The compute library alone is past the default limit, and it is loaded in the worker.
    chunkSizeWarningLimit: 1500,
    // A data: URL is an inline resource, and the policy forbids those for all but images.
    assetsInlineLimit: 0,
  },
  server: { headers: isolationHeaders },
  preview: {
    host: 'localhost',
    headers: {
      'Content-Security-Policy': `${contentSecurityPolicy}; frame-ancestors 'none'`,
      'X-Content-Type-Options': 'nosniff',
      ...isolationHeaders,
    },
  },
});
