import { elementwise } from '../elementwise-program.ts';

/** Φ(x) through erf by Abramowitz & Stegun 7.1.26, absolute error below 1.5e-7; WGSL has no erf. */
const NORMAL = /* wgsl */ `
  fn normalDistribution(x : V) -> V {
    let a = abs(x) * 0.70710678;
    let t = V(1.0) / (V(1.0) + 0.3275911 * a);
    let series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    let erf = sign(x) * (V(1.0) - series * exp(-min(a * a, V(80.0))));
    return 0.5 * (V(1.0) + erf);
  }
`;

export const geluProgram = elementwise(
  'gelu',
  ['x'],
  /* wgsl */ `
    ${NORMAL}
    fn compute(x : V) -> V {
      return x * normalDistribution(x);
    }
  `,
);

export const geluGradientProgram = elementwise(
  'gelu-gradient',
  ['dy', 'x'],
  /* wgsl */ `
    ${NORMAL}
    fn compute(d : V, x : V) -> V {
      return d * (normalDistribution(x) + x * 0.39894228 * exp(-min(0.5 * x * x, V(80.0))));
    }
  `,
);

/** √(2/π) · (x + 0.044715 x³), and tanh of it: some drivers overflow in tanh beyond ±44, where it is ±1 long since. */
const INNER = /* wgsl */ `
  fn inner(x : V) -> V {
    return 0.7978845608 * (x + 0.044715 * x * x * x);
  }
  fn boundedTanh(x : V) -> V {
    return tanh(clamp(x, V(-20.0), V(20.0)));
  }
`;

export const geluTanhProgram = elementwise(
  'gelu-tanh',
  ['x'],
  /* wgsl */ `
    ${INNER}
    fn compute(x : V) -> V {
      return 0.5 * x * (V(1.0) + boundedTanh(inner(x)));
    }
  `,
);

export const geluTanhGradientProgram = elementwise(
  'gelu-tanh-gradient',
  ['dy', 'x'],
  /* wgsl */ `
    ${INNER}
    fn compute(d : V, x : V) -> V {
      let t = boundedTanh(inner(x));
      let slope = (V(1.0) - t * t) * 0.7978845608 * (V(1.0) + 0.134145 * x * x);
      return d * 0.5 * (V(1.0) + t + x * slope);
    }
  `,
);
