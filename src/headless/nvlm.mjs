#!/usr/bin/env node
// Starts the command line from its TypeScript sources, so that a clone needs no build step.
import { fileURLToPath } from 'node:url';
import { register } from 'tsx/esm/api';

// Named, since tsx would otherwise take a tsconfig.json of the folder that the user happens to stand in.
register({ tsconfig: fileURLToPath(new URL('../../tsconfig.json', import.meta.url)) });
const { main } = await import('./main.ts');
await main(process.argv.slice(2));
