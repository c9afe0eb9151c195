import * as tf from '@tensorflow/tfjs';
import { deviceBytes } from './tensor-memory.ts';

export interface PeakBytes {
  /** The most since the watch began, so far. */
  readonly peak: number;
  /** Ends the watch; the last one begun ends first. */
  stop(): void;
}

type Tracker = { trackTensor(...args: unknown[]): void };

/** Watches what `deviceBytes` says, looking each time that a tensor comes to be, those inside of ops as well. */
export function watchPeakBytes(): PeakBytes {
  const engine = tf.engine() as unknown as Tracker;
  const { trackTensor } = engine;
  let peak = deviceBytes();
  engine.trackTensor = function (...args) {
    trackTensor.apply(this, args);
    peak = Math.max(peak, deviceBytes());
  };
  return {
    get peak() {
      return peak;
    },
    stop: () => void (engine.trackTensor = trackTensor),
  };
}
