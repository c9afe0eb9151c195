import type { BackendChoice, DeviceInfo } from '../../engine/api.ts';
import { toPlainError, type PlainError } from '../../errors.ts';
import type { SliceTools } from './app-state.ts';

/** Restarts without being asked, before the visitor has to decide. */
const AUTOMATIC_RESTARTS = 2;
const AUTOMATIC_RESTARTS_WITHIN_MS = 60_000;

export interface DeviceSlice {
  device: DeviceInfo | null;
  backendChoice: BackendChoice;
  switchingTo: BackendChoice | null;
  deviceError: PlainError | null;
  /** The device or the worker is gone: chat waits for {@link recover}. */
  loss: PlainError | null;
  recovering: boolean;
  openDevice(choice: BackendChoice): Promise<void>;
  /** Sorts out errors that mean "nothing works until restarted". */
  noticeLoss(error: PlainError): void;
  /** A fresh worker, the same backend, the same model; the conversation is not touched. */
  recover(): Promise<void>;
}

export function createDeviceSlice({ set, get, engine, now }: SliceTools): DeviceSlice {
  let restarts: number[] = [];

  engine.onLost((error) => {
    get().forgetLoadedModel();
    set({ loss: toPlainError(error), device: null });
    restarts = restarts.filter((at) => now() - at < AUTOMATIC_RESTARTS_WITHIN_MS);
    if (restarts.length >= AUTOMATIC_RESTARTS) return;
    restarts.push(now());
    void comeBack('The engine stopped and was started again. Your conversation is still here.');
  });

  async function open(choice: BackendChoice): Promise<DeviceInfo> {
    return choice === 'auto' ? engine.device() : engine.openDevice(choice);
  }

  async function comeBack(words: string): Promise<void> {
    set({ recovering: true });
    try {
      set({ device: await open(get().backendChoice) });
      await get().ensureModel();
      set({ loss: null, deviceError: null });
      get().showToast(words);
    } catch (error) {
      set({ loss: toPlainError(error) });
    } finally {
      set({ recovering: false });
    }
  }

  return {
    device: null,
    backendChoice: 'auto',
    switchingTo: null,
    deviceError: null,
    loss: null,
    recovering: false,
    async openDevice(choice) {
      const { device: before, backendChoice, switchingTo, stopAnswer } = get();
      if (switchingTo !== null) return;
      stopAnswer();
      set({ switchingTo: choice, deviceError: null });
      try {
        const device = before === null ? await open(choice) : await engine.openDevice(choice);
        set({ device, backendChoice: choice });
      } catch (error) {
        // What the address or the visitor asked for does not exist here: back to what does.
        set({ deviceError: toPlainError(error), device: await engine.openDevice(backendChoice).catch(() => null) });
      }
      set({ switchingTo: null });
      if (before === null) return;
      get().forgetLoadedModel();
      await get().refreshModels();
      await get()
        .ensureModel()
        .catch(() => undefined);
    },
    noticeLoss(error) {
      if (error.code === 'device-lost') set({ loss: error });
    },
    async recover() {
      get().stopAnswer();
      get().forgetLoadedModel();
      engine.restart();
      await comeBack('Restarted. Your conversation is still here.');
    },
  };
}
