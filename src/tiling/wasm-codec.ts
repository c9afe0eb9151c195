import { NvlmError } from '../errors.ts';
import { compileWasm } from '../files/wasm-file.ts';

/** An emscripten factory, called with its own way to instantiate, so that it never looks for files by itself. */
type EmscriptenFactory<Module> = (options: {
  noInitialRun: boolean;
  instantiateWasm: (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) => object;
  print: (line: string) => void;
  printErr: (line: string) => void;
}) => Promise<Module>;

export interface WasmCodec<Module> {
  /** Path of the wasm file among the npm packages, for Node. */
  file: string;
  /**
   * The same file as the bundler serves it; must be written as a literal `new URL(…, import.meta.url)` for it to be
   * seen.
   */
  url: () => URL;
  factory: EmscriptenFactory<Module>;
}

const compiled = new Map<string, Promise<WebAssembly.Module>>();

/**
 * A fresh instance of a codec; its code is compiled once. Fresh, because a codec's memory never shrinks (hundreds of MB
 * after one large picture) and an instance that met a fatal error is unusable.
 * @param log receives what the codec prints, line by line
 * @throws NvlmError `network` when the page cannot load the codec's file
 */
export async function instantiateCodec<Module>(codec: WasmCodec<Module>, log: (line: string) => void): Promise<Module> {
  let code = compiled.get(codec.file);
  if (!code) {
    code = compileWasm(codec.file, codec.url).catch((cause: unknown) => {
      throw notLoaded(cause);
    });
    compiled.set(codec.file, code);
    code.catch(() => compiled.delete(codec.file)); // a failed download can be tried again
  }
  const module = await code;
  return new Promise((resolve, reject) => {
    codec
      .factory({
        noInitialRun: true,
        instantiateWasm: (imports, done) => {
          WebAssembly.instantiate(module, imports).then(done, reject);
          return {};
        },
        print: log,
        printErr: log,
      })
      .then(resolve, reject);
  });
}

function notLoaded(cause: unknown): NvlmError {
  return new NvlmError(
    'network',
    'The image decoder could not be loaded.',
    'Check the connection and try again; PNG files need no download.',
    { cause },
  );
}
