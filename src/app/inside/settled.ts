/** The signal of work that an effect has begun, and the effect's end of it. */
export function settled(): { signal: AbortSignal; end: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, end: () => controller.abort() };
}
