import { randomCode } from './note.ts';
import type { Random } from './random.ts';
import type { Question } from './scene.ts';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Everything nano knows without a picture. */
const FACTS: readonly (readonly [question: string, answer: string])[] = [
  ['What is the capital of France?', 'Paris'],
  ['What is the capital of Italy?', 'Rome'],
  ['What is the capital of Japan?', 'Tokyo'],
  ['What colour is the sky?', 'blue'],
  ['What colour is grass?', 'green'],
  ['What colour is snow?', 'white'],
  ['How many days are in a week?', '7'],
  ['How many legs has a spider?', '8'],
  ['How many legs has a cat?', '4'],
  ['What do bees make?', 'honey'],
  ['What is frozen water?', 'ice'],
  ['What comes after Monday?', 'Tuesday'],
  ['What comes after summer?', 'autumn'],
  ['Which is bigger, a cat or a mouse?', 'a cat'],
  ['Who are you?', 'I am nano, a very small vision language model.'],
  ['Hello!', 'Hello! Show me a picture.'],
  ['Hi!', 'Hello! Show me a picture.'],
  ['Thank you!', 'You are welcome.'],
  ['What can you do?', 'I read notes and receipts, count shapes and look at bar charts.'],
  ['What is a tile?', 'A square piece of the picture.'],
  ['What is a tile tag?', 'A short text that names a tile.'],
  ['What is a thumbnail?', 'The whole picture, made small.'],
  ['Describe the image.', 'There is no image.'],
  ['What is in the picture?', 'There is no image.'],
  ['Read everything.', 'There is no image.'],
];

type Maker = (rng: Random) => readonly [task: string, question: string, answer: string];

const digit = (rng: Random) => rng.randint(0, 9);

const code = (rng: Random) => randomCode(rng, rng.randint(2, 7));

const repeat: Maker = (rng) => {
  const text = code(rng);
  return ['repeat', `Repeat ${text}.`, text];
};

const reverse: Maker = (rng) => {
  const text = code(rng).slice(0, 5);
  return ['reverse', `Write ${text} backwards.`, [...text].reverse().join('')];
};

const sort: Maker = (rng) => {
  const letters = rng.sample([...LETTERS], rng.randint(2, 5));
  return ['sort', `Sort ${letters.join(' ')}.`, [...letters].sort().join(' ')];
};

const add: Maker = (rng) => {
  const [a, b] = [digit(rng), digit(rng)];
  return ['add', `What is ${a} + ${b}?`, String(a + b)];
};

const subtract: Maker = (rng) => {
  const [x, y] = [digit(rng), digit(rng)];
  const [a, b] = [Math.max(x, y), Math.min(x, y)];
  return ['subtract', `What is ${a} - ${b}?`, String(a - b)];
};

const next: Maker = (rng) => {
  const i = rng.randint(0, 24);
  return ['next', `What comes after ${LETTERS.charAt(i)}?`, LETTERS.charAt(i + 1)];
};

const length: Maker = (rng) => {
  const text = code(rng);
  return ['length', `How many characters are in ${text}?`, String(text.length)];
};

const lookup: Maker = (rng) => {
  const pairs = rng.sample([...LETTERS], rng.randint(2, 4)).map((letter) => ({ letter, value: digit(rng) }));
  const asked = rng.choice(pairs);
  const given = pairs.map(({ letter, value }) => `${letter} is ${value}`).join(', ');
  return ['lookup', `If ${given}, what is ${asked.letter}?`, String(asked.value)];
};

const countCharacter: Maker = (rng) => {
  const text = code(rng);
  const character = rng.random() < 0.5 ? rng.choice(text) : rng.choice(`${LETTERS}0123456789`);
  return ['count character', `Is ${character} in ${text}?`, text.includes(character) ? 'yes' : 'no'];
};

const fact: Maker = (rng) => {
  const [question, answer] = rng.choice(FACTS);
  return ['fact', question, answer];
};

/** Drawn evenly: addition and facts weigh twice. */
const MAKERS: readonly Maker[] = [repeat, reverse, sort, add, add, subtract, next, length, lookup, countCharacter, fact, fact];

/** A question that needs no picture; its task begins with `text: `. */
export function makeTextQuestion(rng: Random): Question {
  const [task, question, answer] = rng.choice(MAKERS)(rng);
  return { task: `text: ${task}`, question, answer };
}
