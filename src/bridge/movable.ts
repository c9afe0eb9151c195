/**
 * Bytes and bitmaps in plain data that can move to another thread. A view into a larger buffer is left to be copied:
 * what else lies in the buffer is still needed.
 */
export function movablesIn(value: unknown): Transferable[] {
  const found = new Set<Transferable>();
  collect(value, found);
  return [...found];
}

function collect(value: unknown, found: Set<Transferable>): void {
  if (typeof value !== 'object' || value === null) return;
  if (ArrayBuffer.isView(value)) {
    if (value.byteLength === value.buffer.byteLength && value.buffer instanceof ArrayBuffer) found.add(value.buffer);
  } else if (typeof ImageBitmap !== 'undefined' && value instanceof ImageBitmap) {
    found.add(value);
  } else if (Array.isArray(value)) {
    for (const item of value) collect(item, found);
  } else if (isPlainObject(value)) {
    for (const item of Object.values(value)) collect(item, found);
  }
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
