/** What a tensor is used as, which decides how it is held on the device. */
export type ParameterRole =
  /** [out, in] in the file; see `LinearWeight`. A convolution over patches is one too, its input flattened. */
  | 'linear'
  /** [vocab, width] */
  | 'embedding'
  /** Anything else, flat. */
  | 'vector';

export interface ParameterSpec {
  name: string;
  role: ParameterRole;
  shape: number[];
}

/** Collects the tensors of a network in the order in which its forward pass meets them. */
export class ParameterList {
  readonly specs: ParameterSpec[] = [];

  add(name: string, role: ParameterRole, ...shape: number[]): void {
    this.specs.push({ name, role, shape });
  }

  vector(name: string, ...shape: number[]): void {
    this.add(name, 'vector', ...shape);
  }

  /** `name` without `.weight`. */
  linear(name: string, rows: number, columns: number, bias: boolean): void {
    this.add(`${name}.weight`, 'linear', rows, columns);
    if (bias) this.vector(`${name}.bias`, rows);
  }

  /** `name` without `.weight`. */
  norm(name: string, size: number, bias: boolean): void {
    this.vector(`${name}.weight`, size);
    if (bias) this.vector(`${name}.bias`, size);
  }
}
