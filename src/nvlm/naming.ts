/** How one kind of checkpoint names the tensors of a network, whose own names are those of `names.ts` and the family. */
export interface Naming {
  id: string;
  /** Is this tensor's name one of its own, and no other kind's? */
  marks(tensor: string): boolean;
  /** The tensors of a file that make up our tensor `name`, stacked by rows in this order. */
  sourceNames(name: string): string[];
  /** What one of our modules is called in the class that computes with such a checkpoint; several where it is split there. */
  moduleNames(module: string): string[];
  /** Our module that this class calls so, and which of the parts that are stacked in it; null when it has no such name. */
  ownModule(given: string): OwnModule | null;
  /** The vision encoder in that class, where the ends of its modules' names could be taken for the decoder's. */
  vision: { modules: RegExp; hasModule(end: string): boolean } | null;
  /** What PEFT loads the base with, where no task says it. */
  autoMapping: { base_model_class: string; parent_library: string } | null;
}

/** A module of this project, or one of the equal parts that are stacked by rows in it. */
export interface OwnModule {
  module: string;
  part: number;
  parts: number;
}

/** Checkpoints that name tensors as this project does. */
export const ownNaming: Naming = {
  id: 'original',
  marks: () => false,
  sourceNames: (name) => [name],
  moduleNames: (module) => [module],
  ownModule: (given) => ({ module: given, part: 0, parts: 1 }),
  vision: null,
  autoMapping: null,
};

/** A row of a table of names: ours, and theirs, several of which are stacked by rows. `*` is a layer's number. */
export type NameRow = readonly [ours: string, ...theirs: string[]];

/** A naming by a table of modules, and of beginnings of names, which end in a dot; what no row fits keeps its name. */
export function tableNaming(
  table: readonly NameRow[],
  { visionModules, ...rest }: Pick<Naming, 'id' | 'marks' | 'autoMapping'> & { visionModules: RegExp },
): Naming {
  const modules = new Map(table.map(([ours, ...theirs]) => [ours, theirs]));
  const beginnings = table.filter(([ours]) => ours.endsWith('.'));
  const visionEnds = table.filter(([ours]) => ours.startsWith('vision_model.')).flatMap(([, ...theirs]) => theirs);

  function sourceNames(name: string): string[] {
    const beginning = beginnings.find(([ours]) => name.startsWith(ours));
    if (beginning) return [beginning[1]! + name.slice(beginning[0].length)];
    const [, module = name, suffix = ''] = /^(.*?)(\.weight|\.bias)?$/.exec(name)!;
    const layer = /\.layers\.(\d+)\./.exec(module)?.[1] ?? '';
    const theirs = modules.get(module.replace(/\.layers\.\d+\./, '.layers.*.'));
    return theirs ? theirs.map((their) => `${their.replace('*', layer)}${suffix}`) : [name];
  }

  function ownModule(given: string) {
    const beginning = beginnings.find(([, theirs]) => given.startsWith(theirs!));
    if (beginning) return { module: beginning[0] + given.slice(beginning[1]!.length), part: 0, parts: 1 };
    const layer = /\.(?:layers?|blocks)\.(\d+)\./.exec(given)?.[1] ?? '';
    const general = given.replace(/(\.(?:layers?|blocks)\.)\d+\./, '$1*.');
    for (const [ours, ...theirs] of table) {
      const part = theirs.indexOf(general);
      if (part >= 0) return { module: ours.replace('*', layer), part, parts: theirs.length };
    }
    return null;
  }

  const vision = { modules: visionModules, hasModule: (end: string) => visionEnds.some((module) => module.endsWith(`.${end}`)) };
  return { ...rest, sourceNames, moduleNames: sourceNames, ownModule, vision };
}

/** The naming of a checkpoint's tensors. */
export function namingOf(namings: readonly [Naming, ...Naming[]], tensorNames: Iterable<string>): Naming {
  for (const name of tensorNames) {
    const naming = namings.find(({ marks }) => marks(name));
    if (naming) return naming;
  }
  return namings.at(-1)!;
}
