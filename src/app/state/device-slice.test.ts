/** The device: switches, deaths, and coming back. */
import { beforeEach, describe, expect, it } from 'vitest';
import { NvlmError } from '../../errors.ts';
import { engine, freshStore, state } from '../testing/test-store.ts';

beforeEach(freshStore);

describe('device', () => {
  it('loads the model again after a switch', async () => {
    await state().openDevice('auto');
    await state().ensureModel();
    await state().openDevice('cpu');
    expect(state()).toMatchObject({
      device: { backend: 'cpu' },
      backendChoice: 'cpu',
      loadedModel: { entry: { id: 'nano-d' } },
    });
  });

  it('falls back, and says why, when the address asks for a device that is not there', async () => {
    engine.failNext.openDevice = new NvlmError('no-device', 'No WebGPU.', 'Use wasm.');
    await state().openDevice('webgpu');
    expect(state()).toMatchObject({
      device: { backend: 'wasm' },
      backendChoice: 'auto',
      deviceError: { code: 'no-device' },
    });
  });

  it('comes back by itself after a death of the worker, conversation kept', async () => {
    await state().ask('one');
    engine.die(new NvlmError('engine-lost', 'Stopped.', 'Again.'));
    await expect.poll(() => state().loss).toBeNull();
    expect(state().loadedModel?.entry.id).toBe('nano-d');
    expect(state().turns).toHaveLength(1);
    expect(state().toast?.text).toContain('started again');
  });

  it('gives up restarting by itself when the worker keeps dying', async () => {
    for (let death = 0; death < 3; death++) {
      engine.die(new NvlmError('engine-lost', 'Stopped.', 'Again.'));
      await expect.poll(() => state().recovering).toBe(false);
    }
    expect(state().loss?.code).toBe('engine-lost');
    expect(state().device).toBeNull();
  });

  it('offers a restart after a lost device', async () => {
    await state().ensureModel();
    engine.failNext.chat = new NvlmError('device-lost', 'The device is lost.', 'Restart.');
    await state().ask('one');
    expect(state().loss?.code).toBe('device-lost');
    await state().recover();
    expect(engine.restarts).toBe(1);
    expect(state()).toMatchObject({ loss: null, loadedModel: { entry: { id: 'nano-d' } } });
    expect(state().turns).toHaveLength(1);
  });
});
