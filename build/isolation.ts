/**
 * Headers that make a page cross-origin isolated, so that browsers give it memory which threads can share (the wasm backend's). What comes
 * from other origins must then come by CORS, as everything does that this page fetches; `credentialless` would let more in, but
 * Safari does not know it. Workers' scripts need the second one as well.
 */
export const isolationHeaders = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};
