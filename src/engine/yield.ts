/**
 * Lets pending messages (a stop button, a second tab) be handled before the next piece of work. A microtask would not, and nested
 * timers are clamped to 4 ms, which is longer than a small model's token.
 */
export function yieldToEventLoop(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
