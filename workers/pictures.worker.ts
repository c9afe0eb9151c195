import * as Comlink from 'comlink';
import { picturesService } from './pictures-service.ts';

Comlink.expose(picturesService);
