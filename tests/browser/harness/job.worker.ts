import * as Comlink from 'comlink';
import { jobs } from './jobs.ts';

Comlink.expose(jobs);
