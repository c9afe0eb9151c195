import type { NvlmConfig } from '../config.ts';
import type { ParameterList } from '../parameter-list.ts';

export const connectorNames = { norm: 'mlp1.0', in: 'mlp1.1', out: 'mlp1.3' };

/** LayerNorm → linear → GELU → linear, behind pixel shuffle. */
export function addMlpConnector(list: ParameterList, { vision, llm, projector, shuffle }: NvlmConfig): void {
  const wide = shuffle ** 2 * vision!.hiddenSize;
  list.norm(connectorNames.norm, wide, true);
  list.linear(connectorNames.in, projector.hiddenSize, wide, projector.bias);
  list.linear(connectorNames.out, llm.hiddenSize, projector.hiddenSize, projector.bias);
}

/** LayerNorm → linear. */
export function addLinearConnector(list: ParameterList, { vision, llm, projector, shuffle }: NvlmConfig): void {
  const wide = shuffle ** 2 * vision!.hiddenSize;
  list.norm(connectorNames.norm, wide, true);
  list.linear(connectorNames.in, llm.hiddenSize, wide, projector.bias);
}
