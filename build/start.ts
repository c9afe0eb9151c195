/** `npm start`: builds the site and serves it on localhost, in a browser where there is one to open. */
import { build, preview } from 'vite';

/** Vite would print a stack trace where there is no desktop. */
const hasDesktop =
  process.platform === 'darwin' || process.platform === 'win32' || Boolean(process.env['DISPLAY'] ?? process.env['WAYLAND_DISPLAY']);

await build({ logLevel: 'warn' });
const server = await preview({ preview: { open: hasDesktop } });
console.log('\n  NVLM Playground is ready. Ctrl+C ends it.\n');
server.printUrls();
