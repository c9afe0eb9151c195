import { NvlmError } from '../../errors.ts';
import type { AdapterUse } from '../runs/training-api.ts';
import type { InsideApi } from './inside-api.ts';
import type { Inside } from './inside.ts';

interface InsideCallsOptions {
  /** @throws NvlmError `device-lost` */
  loaded(): Inside | null;
  /** Has these adapters on the loaded model from now on. */
  useAdapters(wanted: readonly AdapterUse[]): Promise<void>;
  /** Waits for whoever computes on the loaded model. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
}

/** The calls of the engine, each in its turn and with the adapters that the answer was given with. */
export function createInsideCalls({ loaded, useAdapters, inTurn }: InsideCallsOptions): InsideApi {
  function require(): Inside {
    const inside = loaded();
    if (!inside) throw new NvlmError('not-found', 'No model is loaded.', 'Load one first, on the Models screen.');
    return inside;
  }

  const onTrace = <T>(trace: number, work: (inside: Inside) => Promise<T>): Promise<T> =>
    inTurn(async () => {
      const inside = require();
      await useAdapters(inside.requestOf(trace).adapters ?? []);
      return work(inside);
    });

  return {
    insideOpen: (request, options) =>
      inTurn(async () => {
        const inside = require();
        await useAdapters(request.adapters ?? []);
        return inside.open(request, options);
      }),
    insideAttention: (request, options) => onTrace(request.trace, (inside) => inside.attention(request, options)),
    insideHeads: (request, options) => onTrace(request.trace, (inside) => inside.heads(request, options)),
    insideWorth: (request, options) => onTrace(request.trace, (inside) => inside.worth(request, options)),
    insideLens: (trace, layers, options) => onTrace(trace, (inside) => inside.lens(trace, layers, options)),
    insideAgain: (trace, changes, maxNewTokens, options) => onTrace(trace, (inside) => inside.again(trace, changes, maxNewTokens, options)),
    insideClose: () => inTurn(async () => loaded()?.close()),
  };
}
