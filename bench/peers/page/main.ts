import * as Comlink from 'comlink';
import type { NvlmSide } from './nvlm.worker.ts';
import { openOrtSide } from './ort-side.ts';

declare global {
  interface Window {
    nvlm: Comlink.Remote<NvlmSide>;
    openOrtSide: typeof openOrtSide;
    ort: Awaited<ReturnType<typeof openOrtSide>>;
    /** Of @wllama/wllama, which is loaded as it is published. */
    wllama: {
      loadModel(files: Blob[], options: object): Promise<void>;
      createCompletion(
        options: object,
      ): Promise<{ timings: { prompt_n: number; prompt_ms: number; cache_n: number; predicted_n: number; predicted_ms: number } }>;
    };
  }
}

window.nvlm = Comlink.wrap<NvlmSide>(new Worker(new URL('./nvlm.worker.ts', import.meta.url), { type: 'module' }));
window.openOrtSide = openOrtSide;
