import { openDevice } from '../device/open-device.ts';
import type { Device, DevicePlatform } from '../device/types.ts';
import type { NvlmError } from '../errors.ts';
import { chooseLines } from '../ops/few-rows-lines.ts';
import type { BackendChoice } from './api.ts';

/** The one device, opened when it is first needed. */
export class HeldDevice {
  /** Why the device went away, until another is opened. */
  lost: NvlmError | null = null;
  private opened: Promise<Device> | null = null;
  private current: Device | null = null;
  private choice: BackendChoice = 'auto';

  constructor(
    private readonly platform: DevicePlatform,
    /** Its tensors went with it: nothing is left to free on it. */
    private readonly onLost: () => void,
  ) {}

  open(): Promise<Device> {
    this.opened ??= openDevice(this.choice, this.platform).then((device) => {
      // Those of another device, until a model is loaded.
      chooseLines(new Map());
      void device.lost.then((error) => {
        if (this.current !== device) return;
        this.lost = error;
        this.onLost();
      });
      this.current = device;
      return device;
    });
    // A failed start is not kept: the next call tries again.
    this.opened.catch(() => (this.opened = null));
    return this.opened;
  }

  /** @throws NvlmError why it went away */
  async usable(): Promise<Device> {
    this.assertUsable();
    return this.open();
  }

  assertUsable(): void {
    if (this.lost) throw this.lost;
  }

  /** The next one is opened anew, as chosen before or now. */
  async replace(choice = this.choice): Promise<void> {
    await this.dispose();
    this.lost = null;
    this.choice = choice;
  }

  async dispose(): Promise<void> {
    await this.current?.dispose();
    this.current = this.opened = null;
  }
}
