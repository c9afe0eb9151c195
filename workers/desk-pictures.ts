import { composeForm, type ComposeForm } from '../src/desk/compose/form.ts';
import { deskExamples } from '../src/desk/examples.ts';
import type { Question } from '../src/desk/scene.ts';
import { encodePng } from '../src/tiling/encode-png.ts';

/** What is known about a drawn picture. */
interface KnownPicture {
  /** The whole content in words; null when there is none. */
  description: string | null;
  /** Questions to begin with. */
  suggestedQuestions: string[];
  /** What the picture really shows, by question. */
  knownAnswers: Record<string, string>;
}

/** A picture to begin with, before it is drawn. */
export interface ExampleCard extends KnownPicture {
  /** Stable, for URLs and tests. */
  id: string;
  title: string;
  /** Regular tiles at 112 px. */
  tiles: number;
}

export interface ComposedPicture extends KnownPicture {
  /** PNG: a drawn picture takes the same way as any other. */
  file: Uint8Array;
  /** Nothing stands in it. */
  blank: boolean;
  /** What was changed or left out, one sentence each. */
  problems: string[];
  /** What is drawn as given but may be misread by the nano models. */
  hints: string[];
}

export function exampleCards(): ExampleCard[] {
  return deskExamples().map(({ id, title, tiles, description, questions, suggestedQuestions }) => ({
    id,
    title,
    tiles,
    description,
    suggestedQuestions: wordsOf(suggestedQuestions),
    knownAnswers: answersOf(questions),
  }));
}

/** The example as a PNG file. */
export async function exampleFile(id: string): Promise<Uint8Array> {
  const example = deskExamples().find((one) => one.id === id);
  if (!example) throw new RangeError(`no example ${id}`);
  return encodePng(example.draw());
}

export async function composedPicture(form: ComposeForm): Promise<ComposedPicture> {
  const { scene, picture, suggestedQuestions, problems, hints } = composeForm(form);
  return {
    file: await encodePng(picture),
    blank: scene.cells.every((cell) => cell === null),
    description: scene.questions.find(({ task }) => task.endsWith(': all'))?.answer ?? null,
    suggestedQuestions: wordsOf(suggestedQuestions),
    knownAnswers: answersOf(scene.questions),
    problems,
    hints,
  };
}

function wordsOf(questions: readonly Question[]): string[] {
  return questions.map(({ question }) => question);
}

function answersOf(questions: readonly Question[]): Record<string, string> {
  return Object.fromEntries(questions.map(({ question, answer }) => [question, answer]));
}
