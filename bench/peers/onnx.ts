/** Writes ONNX models: the few messages of onnx.proto3 that a graph with its weights needs, in protobuf's wire format. */

export const FLOAT = 1;
export const UINT8 = 2;
export const INT8 = 3;
export const INT32 = 6;
export const INT64 = 7;

export type Attribute = number | string | number[] | { float: number };
export type Shape = (number | string)[];

export interface Tensor {
  type: number;
  shape: number[];
  bytes: Uint8Array;
}

export const floats = (values: ArrayLike<number>, shape = [values.length]): Tensor => tensorOf(FLOAT, Float32Array.from(values), shape);
export const integers = (values: number[], shape = [values.length]): Tensor => tensorOf(INT64, BigInt64Array.from(values, BigInt), shape);

export function tensorOf(type: number, { buffer, byteOffset, byteLength }: ArrayBufferView, shape: number[]): Tensor {
  return { type, shape, bytes: new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength) };
}

/** A graph as it grows; values are named by strings. */
export class OnnxGraph {
  private readonly nodes: Bytes[] = [];
  private readonly weights: Bytes[] = [];
  private readonly inputs: Bytes[] = [];
  private readonly outputs: Bytes[] = [];
  private count = 0;

  input(name: string, type: number, shape: Shape): string {
    this.inputs.push(field(11, valueInfo(name, type, shape)));
    return name;
  }

  output(name: string, type: number, shape: Shape): void {
    this.outputs.push(field(12, valueInfo(name, type, shape)));
  }

  /** A constant; its name is unique if none is given. */
  weight({ type, shape, bytes }: Tensor, name = `w${this.count++}`): string {
    this.weights.push(field(5, [...shape.map((extent) => integer(1, extent)), integer(2, type), text(8, name), field(9, [bytes])]));
    return name;
  }

  /**
   * Adds a node.
   * @param inputs '' for one left out
   * @param outputs how many, or their names
   * @returns the names of its outputs
   */
  node(op: string, inputs: string[], attributes: Record<string, Attribute> = {}, outputs: number | string[] = 1, domain = ''): string[] {
    const made = typeof outputs === 'number' ? Array.from({ length: outputs }, () => `v${this.count++}`) : outputs;
    const named = [...inputs.map((name) => text(1, name)), ...made.map((name) => text(2, name)), text(3, `n${this.count++}`), text(4, op)];
    this.nodes.push(field(1, [...named, ...Object.entries(attributes).map(([name, value]) => attribute(name, value)), text(7, domain)]));
    return made;
  }

  one(op: string, inputs: string[], attributes: Record<string, Attribute> = {}, domain = ''): string {
    return this.node(op, inputs, attributes, 1, domain)[0]!;
  }

  model(): Uint8Array {
    const graph = [...this.nodes, text(2, 'bench'), ...this.weights, ...this.inputs, ...this.outputs];
    const opset = (domain: string, version: number) => field(8, [text(1, domain), integer(2, version)]);
    return join([integer(1, 8), text(2, 'nvlm bench'), field(7, graph), opset('', 17), opset(MICROSOFT, 1)]);
  }
}

/** Of onnxruntime's own ops. */
export const MICROSOFT = 'com.microsoft';

type Bytes = Uint8Array | Bytes[];

function lengthOf(bytes: Bytes): number {
  return bytes instanceof Uint8Array ? bytes.length : bytes.reduce((sum, part) => sum + lengthOf(part), 0);
}

function join(bytes: Bytes[]): Uint8Array {
  const out = new Uint8Array(lengthOf(bytes));
  let at = 0;
  const put = (part: Bytes) => {
    if (!(part instanceof Uint8Array)) return part.forEach(put);
    out.set(part, at);
    at += part.length;
  };
  put(bytes);
  return out;
}

/** Negative numbers as 64-bit ones. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.from([...bytes, Number(rest)]);
}

/** Tags with their wire types: 0 whole numbers, 2 counted bytes, 5 floats. */
const integer = (id: number, value: number): Bytes => [varint(id * 8), varint(value)];
const field = (id: number, content: Bytes[]): Bytes => [varint(id * 8 + 2), varint(lengthOf(content)), content];
const text = (id: number, value: string): Bytes => field(id, [new TextEncoder().encode(value)]);
const float = (id: number, value: number): Bytes => [varint(id * 8 + 5), new Uint8Array(Float32Array.of(value).buffer)];

function attribute(name: string, value: Attribute): Bytes {
  const kinds = { float: 1, integer: 2, string: 3, integers: 7 };
  const [kind, content] =
    typeof value === 'number'
      ? [kinds.integer, [integer(3, value)]]
      : typeof value === 'string'
        ? [kinds.string, [text(4, value)]]
        : Array.isArray(value)
          ? [kinds.integers, value.map((one) => integer(8, one))]
          : [kinds.float, [float(2, value.float)]];
  return field(5, [text(1, name), ...content, integer(20, kind)]);
}

function valueInfo(name: string, type: number, shape: Shape): Bytes[] {
  const extents = shape.map((extent) => field(1, [typeof extent === 'number' ? integer(1, extent) : text(2, extent)]));
  return [text(1, name), field(2, [field(1, [integer(1, type), field(2, extents)])])];
}
