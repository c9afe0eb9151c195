import { openDevice } from '../device/open-device.ts';
import '../app/format.ts';
import '../text/types.ts';
import 'react';
import * as tf from '@tensorflow/tfjs';
import 'node:fs';
export const x = [openDevice, tf];
