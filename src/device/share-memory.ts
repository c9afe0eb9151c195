const IMPORTS = 2;
const MEMORIES = 5;
const IMPORTED = { function: 0, table: 1, memory: 2, global: 3 } as const;
const LIMITS = { withMaximum: 1, sharedWithMaximum: 3 } as const;

/**
 * A wasm module, as bytes, with its one memory declared as shared between threads: the same code, for the kinds of memory differ by two
 * bits (WebAssembly threads, binary format of limits). Such a memory must have a maximum.
 * @throws Error when the module has no such memory
 */
export function withSharedMemory(module: Uint8Array): Uint8Array<ArrayBuffer> {
  const shared = Uint8Array.from(module);
  const at = memoryLimits(shared);
  if (at === null || shared[at] !== LIMITS.withMaximum) throw new Error('the module has no memory with a maximum');
  shared[at] = LIMITS.sharedWithMaximum;
  return shared;
}

/** Where the limits of the module's memory stand, which it has itself or imports; null when it has none. */
function memoryLimits(bytes: Uint8Array): number | null {
  let at = 8;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const skipName = () => {
    const length = number();
    at += length;
  };
  const limits = () => (bytes[at++]! & 1 ? [number(), number()] : [number()]);
  while (at < bytes.length) {
    const section = bytes[at++];
    const length = number();
    const end = at + length;
    if (section === MEMORIES && number() > 0) return at;
    if (section === IMPORTS) {
      for (let left = number(); left > 0; left--) {
        skipName();
        skipName();
        const kind = bytes[at++];
        if (kind === IMPORTED.memory) return at;
        if (kind === IMPORTED.function) number();
        else if (kind === IMPORTED.global) at += 2;
        else if (kind === IMPORTED.table) at++, limits();
        else return null;
      }
    }
    at = end;
  }
  return null;
}
