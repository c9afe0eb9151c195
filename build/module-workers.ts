import type { UserConfig } from 'vite';

/**
 * How module workers are built. A chunk that is loaded later must not import the worker's own script: WebKit runs that a second time
 * then, and two engines answer one page, each with half of the state. So what a worker's script imports lies in a chunk beside it,
 * and the script itself holds nothing that anybody could want; the build fails when a chunk imports it all the same.
 */
export const moduleWorkers: NonNullable<UserConfig['worker']> = {
  format: 'es',
  rolldownOptions: {
    output: {
      codeSplitting: {
        groups: [
          { name: 'worker-code', tags: ['$initial'], test: /^(?!.*\.worker\.ts$)/ },
          // With all that it needs in one file, so that nothing has to be asked for behind it.
          { name: 'engine-service', test: /[\\/]engine-service\.ts$/ },
        ],
      },
    },
  },
  plugins: () => [
    {
      name: 'nvlm-worker-scripts-stand-alone',
      generateBundle(_, bundle) {
        const chunks = Object.values(bundle).filter((file) => file.type === 'chunk');
        const scripts = new Set(chunks.filter(({ isEntry }) => isEntry).map(({ fileName }) => fileName));
        for (const { fileName, imports, dynamicImports } of chunks) {
          const script = [...imports, ...dynamicImports].find((name) => scripts.has(name));
          if (script) this.error(`${fileName} imports the worker's script ${script}, which WebKit would run twice`);
        }
      },
    },
  ],
};
