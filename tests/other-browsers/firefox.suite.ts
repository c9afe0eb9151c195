import { findFirefox, openFirefox } from './firefox.ts';
import { browserSuite } from './suite.ts';

const path = findFirefox();
if (path) await browserSuite(await openFirefox(path));
