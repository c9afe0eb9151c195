/**
 * Headers that make a page cross-origin isolated, so that browsers give it memory which threads can share (the wasm backend's). What comes
 * from other origins comes by CORS, as everything does that this page fetches, or without credentials. Workers' scripts need the second
 * one as well. Not `require-corp`, which WebKit knows too: there a worker of a page that is loaded again never starts under it
 * (WebKitGTK 2.50), while `credentialless` leaves the page as it was, on one thread.
 */
export const isolationHeaders = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'credentialless',
};
