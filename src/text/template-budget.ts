import { Environment, Interpreter, parse, Template, tokenize } from '@huggingface/jinja';

type Program = Parameters<Interpreter['run']>[0];
type Node = NonNullable<Parameters<Interpreter['evaluate']>[0]>;
type Value = ReturnType<Interpreter['evaluate']>;

/** What one rendering of a template may take. Published templates with long conversations stay far below. */
export const BUDGET = {
  /** Nodes of the template's syntax that are evaluated. */
  steps: 500_000,
  /** Characters and list items that are made, in all. */
  made: 32_000_000,
  /** Characters of one text, or items of one list with all that is in them. */
  largest: 4_000_000,
  /** Items that one loop goes over, or `range` counts. */
  items: 50_000,
  /** Lists within lists. */
  depth: 64,
  /** Size of what a filter or method works on times that of what it is given. */
  growth: 8_000_000,
  /** Milliseconds. */
  time: 1000,
} as const;

const MAX_LENGTH = 262_144;
const MAX_TOKENS = 20_000;
/** The lexer looks back over white space from each of its characters. */
const LONG_BLANK = /\s{1000}/;

/**
 * Reads a Jinja template as Hugging Face's chat templates are written.
 *
 * @throws Error when it cannot be read, or is larger or more deeply nested than any published one
 */
export function parseTemplate(source: string): Program {
  if (source.length > MAX_LENGTH) throw new Error(`it is ${source.length} characters long, more than ${MAX_LENGTH}`);
  if (LONG_BLANK.test(source)) throw new Error('it holds more than 1000 blanks in a row');
  const tokens = tokenize(source, { lstrip_blocks: true, trim_blocks: true });
  if (tokens.length > MAX_TOKENS) throw new Error(`it has ${tokens.length} tokens, more than ${MAX_TOKENS}`);
  return parse(tokens);
}

/**
 * Renders a template of unknown origin within {@link BUDGET}.
 *
 * @throws Error when the template fails or goes past the budget
 */
export function renderWithinBudget(program: Program, variables: Record<string, unknown>): string {
  const environment = new Environment();
  for (const [name, value] of Object.entries({ ...GLOBALS, ...variables })) environment.set(name, value);
  const rendered = new BudgetedInterpreter(environment).run(program);
  return String(rendered.value);
}

/** What the library's own `Template` puts in its environment. */
const GLOBALS: Record<string, unknown> = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  range: boundedRange,
  raise_exception(message: unknown) {
    throw new Error(String(message));
  },
  // The library hands its own out only to templates.
  strftime_now: (format: unknown) => new Template('{{ strftime_now(format) }}').render({ format }),
};

function boundedRange(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (!Number.isFinite(count)) throw new Error('range() was given no whole numbers');
  if (count > BUDGET.items) throw exceeded(`range() counts ${count} numbers, more than ${BUDGET.items}`);
  return Array.from({ length: count }, (_, i) => from + i * step);
}

/** The template went past {@link BUDGET}. */
export class BudgetExceeded extends Error {}

function exceeded(what: string): BudgetExceeded {
  return new BudgetExceeded(`${what}. No template of a chat needs that much, so it was stopped`);
}

/** One filter or method at work: what it works on, and what it is given. */
interface Operation {
  /** null for a filter of a block, whose text is evaluated as a whole. */
  operand: Node | null;
  args: ReadonlySet<Node>;
  operandSize: number;
  argumentSize: number;
}

interface Extent {
  /** Characters of a text; items of a list or mapping with all that is in them, as often as it is in them. */
  size: number;
  /** Lists and mappings within each other. */
  depth: number;
}

/**
 * The library's interpreter, counting what it does. Everything that it evaluates passes through `evaluate`, so there the
 * steps and the sizes of values are charged. What a single filter or method can blow up (`replace`, `join`, `indent`,
 * `tojson`) is refused beforehand, by the product of the sizes that go in.
 */
class BudgetedInterpreter extends Interpreter {
  private steps = 0;
  private made = 0;
  private readonly deadline = performance.now() + BUDGET.time;
  private readonly extents = new WeakMap<object, Extent>();
  private readonly operations: Operation[] = [];

  override evaluate(node: Node | undefined, environment: Environment): Value {
    this.steps += 1;
    if (this.steps > BUDGET.steps) throw exceeded(`it took more than ${BUDGET.steps} steps`);
    if (this.steps % 64 === 0) this.checkTime();
    const operation = operationOf(node);
    if (operation) this.operations.push(operation);
    let value: Value | undefined;
    try {
      value = strippedOf(node, environment, this) ?? super.evaluate(node, environment);
    } finally {
      if (operation) this.operations.pop();
    }
    // The library's `first` of an empty list.
    if (node && value) this.admit(node, value);
    return value;
  }

  private admit(node: Node, value: Value): void {
    const { size, depth } = this.extentOf(value);
    if (isMade(node)) this.made += size;
    if (this.made > BUDGET.made) throw exceeded(`it made more than ${BUDGET.made} characters`);
    if (size > BUDGET.largest) throw exceeded(`it made a text or list of ${size} characters or items`);
    if (depth > BUDGET.depth) throw exceeded(`it put ${depth} lists into each other`);
    if (Array.isArray(value.value) && value.value.length > 1000) {
      if (value.value.length > BUDGET.items) throw exceeded(`it made a list of ${value.value.length} items`);
      this.checkTime();
    }
    guardNamespace(value);
    const operation = this.operations.at(-1);
    if (operation) this.checkGrowth(operation, node, value, size);
  }

  private checkTime(): void {
    if (performance.now() > this.deadline) throw exceeded(`it took more than ${BUDGET.time} ms`);
  }

  private extentOf({ value, type }: Value): Extent {
    if (typeof value === 'string') return { size: value.length, depth: 0 };
    if (typeof value !== 'object' || value === null) return { size: 1, depth: 0 };
    const known = this.extents.get(value);
    if (known) return known;
    let [size, depth] = [1, 0];
    for (const item of itemsOf(value)) {
      if (item.type === 'NamespaceValue') throw new Error('it puts a namespace into a list or mapping');
      const inside = this.extentOf(item);
      size += inside.size;
      depth = Math.max(depth, inside.depth);
    }
    const extent = { size, depth: depth + 1 };
    // What is in a namespace changes.
    if (type !== 'NamespaceValue') this.extents.set(value, extent);
    return extent;
  }

  private checkGrowth(operation: Operation, node: Node, value: Value, size: number): void {
    if (node === operation.operand) operation.operandSize = size;
    else if (operation.args.has(node)) operation.argumentSize += size + widthsIn(value);
    else return;
    // A block is made of what was made so far, and of the template's own text.
    const operandSize = operation.operand ? operation.operandSize : this.made + MAX_LENGTH;
    if (operandSize * operation.argumentSize > BUDGET.growth) throw exceeded('a filter or method would make too long a text');
  }
}

function itemsOf(value: object): Iterable<Value> {
  if (Array.isArray(value)) return value as Value[];
  return value instanceof Map ? (value.values() as Iterable<Value>) : [];
}

/** Numbers that may be widths, of which every line gets that many blanks. */
function widthsIn({ value }: Value): number {
  if (typeof value === 'number') return Math.abs(value);
  if (typeof value !== 'object' || value === null) return 0;
  let sum = 0;
  for (const item of itemsOf(value)) sum += typeof item.value === 'number' ? Math.abs(item.value) : 0;
  return sum;
}

/** Nodes that give a value which is there already. */
const PLAIN = new Set(['Identifier', 'MemberExpression', 'StringLiteral', 'IntegerLiteral', 'FloatLiteral', 'Comment']);

function isMade(node: Node): boolean {
  return !PLAIN.has(node.type) || (node as Partial<MemberNode>).property?.type === 'SliceExpression';
}

interface FilterNode extends Node {
  operand: Node;
  filter: Node;
}
interface CallNode extends Node {
  callee: MemberNode;
  args: Node[];
}
interface MemberNode extends Node {
  object: Node;
  property: Node & { value: unknown };
  computed: boolean;
}

function operationOf(node: Node | undefined): Operation | null {
  const start = { operandSize: 0, argumentSize: 0 };
  switch (node?.type) {
    case 'FilterExpression': {
      const { operand, filter } = node as FilterNode;
      return { ...start, operand, args: argumentsOf(filter) };
    }
    case 'FilterStatement':
      return { ...start, operand: null, args: argumentsOf((node as FilterNode).filter) };
    case 'CallExpression': {
      const { callee } = node as CallNode;
      return callee.type === 'MemberExpression' ? { ...start, operand: callee.object, args: argumentsOf(node) } : null;
    }
    default:
      return null;
  }
}

/** What is evaluated for the arguments of a call: named ones and unpacked ones stand for what they hold. */
function argumentsOf(call: Node): Set<Node> {
  const args = (call as Partial<CallNode>).args ?? [];
  return new Set(
    args.map((arg) => {
      if (arg.type === 'KeywordArgumentExpression') return (arg as Node & { value: Node }).value;
      return arg.type.endsWith('SpreadExpression') ? (arg as Node & { argument: Node }).argument : arg;
    }),
  );
}

const STRIPS = new Set(['strip', 'lstrip', 'rstrip']);

/**
 * `text.strip(characters)` as Python has it: the library takes white space off, whatever it is asked for, and Qwen3's
 * template asks for line ends alone. Null for any other node.
 */
function strippedOf(node: Node | undefined, environment: Environment, interpreter: Interpreter): Value | null {
  if (node?.type !== 'CallExpression') return null;
  const { callee, args } = node as CallNode;
  if (callee.type !== 'MemberExpression' || callee.computed || args.length !== 1) return null;
  const name = String(callee.property.value);
  if (!STRIPS.has(name)) return null;
  const text = interpreter.evaluate(callee.object, environment);
  const characters = interpreter.evaluate(args[0], environment);
  if (typeof text.value !== 'string' || typeof characters.value !== 'string') return null;
  const isIn = new Set(characters.value);
  const units = [...text.value];
  let [from, to] = [0, units.length];
  if (name !== 'rstrip') while (from < to && isIn.has(units[from]!)) from += 1;
  if (name !== 'lstrip') while (to > from && isIn.has(units[to - 1]!)) to -= 1;
  const StringValue = text.constructor as new (value: string) => Value;
  return new StringValue(units.slice(from, to).join(''));
}

/** Keeps namespaces out of namespaces: what is written out of one is then no larger than what was put in. */
function guardNamespace({ type, value }: Value): void {
  if (type !== 'NamespaceValue' || value instanceof NamespaceMap) return;
  // The map itself is the library's; only its prototype is another.
  Object.setPrototypeOf(value, NamespaceMap.prototype);
}

class NamespaceMap extends Map<string, Value> {
  override set(key: string, value: Value): this {
    if (value.type === 'NamespaceValue') throw new Error('it puts a namespace into a namespace');
    return super.set(key, value);
  }
}
