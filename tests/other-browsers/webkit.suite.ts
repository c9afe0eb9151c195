import { browserSuite } from './suite.ts';
import { findWebKit, openWebKit } from './webkit.ts';

const programs = findWebKit();
if (programs) await browserSuite(await openWebKit(programs));
