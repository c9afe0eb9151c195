import type { CDPSession, Page } from '@playwright/test';

interface HeapUsage {
  usedSize: number;
  /** Array buffers and other memory that scripts hold outside of the garbage-collected heap. */
  backingStorageSize?: number;
}

/**
 * Watches the heap of a page's worker from outside, through the browser's debugging protocol: objects and array buffers that
 * scripts hold. What lies on the GPU, or in a WebAssembly memory, is not heap.
 */
export class WorkerHeap {
  private readonly waiting = new Map<number, (usage: HeapUsage) => void>();
  private nextId = 1;

  private constructor(
    private readonly client: CDPSession,
    private readonly sessionId: string,
  ) {
    client.on('Target.receivedMessageFromTarget', ({ message }) => {
      const { id, result } = JSON.parse(message) as { id?: number; result: HeapUsage };
      if (id !== undefined) this.waiting.get(id)?.(result);
    });
  }

  static async of(page: Page): Promise<WorkerHeap> {
    const client = await page.context().newCDPSession(page);
    const attached = new Promise<string>((resolve) => {
      client.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
        if (targetInfo.type === 'worker') resolve(sessionId);
      });
    });
    await client.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
    return new WorkerHeap(client, await attached);
  }

  /** Bytes in use. */
  async bytes(): Promise<number> {
    const { usedSize, backingStorageSize = 0 } = await this.send('Runtime.getHeapUsage');
    return usedSize + backingStorageSize;
  }

  async collectGarbage(): Promise<void> {
    await this.send('HeapProfiler.collectGarbage');
  }

  /** The most that was in use while `work` went on. */
  async peakDuring<T>(work: Promise<T>): Promise<{ result: T; peak: number; samples: number }> {
    const watch = { peak: 0, samples: 0, done: false };
    const watching = (async () => {
      while (!watch.done) {
        watch.peak = Math.max(watch.peak, await this.bytes());
        watch.samples++;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    const result = await work.finally(() => (watch.done = true));
    await watching;
    return { result, peak: watch.peak, samples: watch.samples };
  }

  private async send(method: string): Promise<HeapUsage> {
    const id = this.nextId++;
    const answer = new Promise<HeapUsage>((resolve) => this.waiting.set(id, resolve));
    await this.client.send('Target.sendMessageToTarget', { sessionId: this.sessionId, message: JSON.stringify({ id, method }) });
    return answer.finally(() => this.waiting.delete(id));
  }
}
