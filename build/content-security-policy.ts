import type { Plugin } from 'vite';

/**
 * What the page may do. Model text is never HTML, and even if it were, no script but the page's own could run.
 * Styles need no 'unsafe-inline': React sets them through the DOM.
 */
export const contentSecurityPolicy = [
  "default-src 'none'",
  // wasm-unsafe-eval: tfjs's wasm backend and the image decoders.
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  "manifest-src 'self'",
  // https: models from a hub or a folder on the web.
  "connect-src 'self' blob: data: https:",
  "base-uri 'none'",
  "form-action 'none'",
  // The one policy is in src/app/trusted-types.ts.
  "require-trusted-types-for 'script'",
  'trusted-types default',
].join('; ');

/** Writes the policy into the built page, so that it holds on a server that sends no headers. */
export function contentSecurityPolicyPlugin(): Plugin {
  return {
    name: 'content-security-policy',
    // Vite's own development scripts and styles are inline.
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: contentSecurityPolicy },
        injectTo: 'head-prepend',
      },
    ],
  };
}
