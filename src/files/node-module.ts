/** `process.getBuiltinModule` where this is Node, else undefined: unlike an import, nothing of it enters the browser's bundle. */
export function nodeModules(): NodeJS.Process['getBuiltinModule'] | undefined {
  return (globalThis as { process?: { getBuiltinModule?: NodeJS.Process['getBuiltinModule'] } }).process?.getBuiltinModule;
}
