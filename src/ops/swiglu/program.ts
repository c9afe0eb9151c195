import { elementwise } from '../elementwise-program.ts';

// Without the clamp exp overflows for very negative gates, and WGSL does not promise what infinity then does.
const SIGMOID = /* wgsl */ `
  fn sigmoid(g : V) -> V {
    return V(1.0) / (V(1.0) + exp(min(-g, V(80.0))));
  }
`;

export const swigluProgram = elementwise(
  'swiglu',
  ['gate', 'up'],
  /* wgsl */ `
    ${SIGMOID}
    fn compute(g : V, u : V) -> V {
      return g * sigmoid(g) * u;
    }
  `,
);

export const swigluGateGradientProgram = elementwise(
  'swiglu-gate-gradient',
  ['dy', 'gate', 'up'],
  /* wgsl */ `
    ${SIGMOID}
    fn compute(d : V, g : V, u : V) -> V {
      let s = sigmoid(g);
      return d * u * s * (V(1.0) + g * (V(1.0) - s));
    }
  `,
);
