import { nodeModules } from './node-module.ts';

/**
 * Compiles the WebAssembly file of an npm package: in Node the package's own, in a browser the one that the bundler put beside
 * the page.
 *
 * @param file path of the file among the npm packages, for Node
 * @param url the same file as the bundler serves it
 * @throws Error when the page cannot load it
 */
export async function compileWasm(file: string, url: () => URL): Promise<WebAssembly.Module> {
  const node = nodeModules();
  if (node) {
    const path = node('node:module')
      .createRequire(import.meta.url)
      .resolve(file);
    return WebAssembly.compile(new Uint8Array(await node('node:fs/promises').readFile(path)));
  }
  const response = await fetch(url(), { credentials: 'same-origin' });
  if (!response.ok) throw new Error(`HTTP ${response.status} for ${response.url}`);
  // Not compileStreaming: that fails on servers which do not send application/wasm, and 200 kB gain nothing from it.
  return WebAssembly.compile(await response.arrayBuffer());
}
