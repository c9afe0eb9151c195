import { testOpCases } from '../../../tests/support/op-cases.ts';

testOpCases('layerNorm');
