import { describe, expect, it } from 'vitest';
import { makeScene } from './make-scene.ts';
import { Random } from './random.ts';
import { cellAt } from './scene.ts';
import type { Scene } from './scene.ts';
import { makeTextQuestion } from './text-questions.ts';

/** Answers found by looking at the cells alone: knows nothing of how the scene was made. */

function rowsOfText(scene: Scene): { row: number; words: string[]; text: string; at: number }[] {
  const rows = [];
  for (let row = 0; row < scene.height; row++) {
    let text = '';
    for (let col = 0; col < scene.width; col++) {
      const cell = cellAt(scene, row, col);
      text += cell?.kind === 'character' ? cell.character : ' ';
    }
    if (text.trim() !== '') rows.push({ row, text, at: text.search(/\S/), words: text.trim().split(/\s+/) });
  }
  return rows;
}

function readNote(scene: Scene, question: string): string | undefined {
  const lines = rowsOfText(scene);
  const words = lines.map((line) => line.text.trim());
  const part = (place: string) => {
    const half = scene.width / 2;
    const rows = lines.filter(({ row }) => (place.includes('top') ? row < scene.height / 2 : row >= scene.height / 2));
    const cut = ({ text }: { text: string }) =>
      place.includes('left') ? text.slice(0, half) : place.includes('right') ? text.slice(half) : text;
    return rows.map(cut).join('').trim();
  };
  const places = scene.width > 4 ? ['top left', 'top right', 'bottom left', 'bottom right'] : ['top', 'bottom'];
  const filled = places.filter((place) => part(place) !== '');
  const codes = scene.questions.some((q) => q.question === 'How many codes are there?');
  const line = /^(?:Read line (\d+)\.|What does line (\d+) say\?)$/.exec(question);
  if (line) return words[Number(line[1] ?? line[2]) - 1] ?? 'There is no such line.';
  const which = /^Which line says (\S+)\?$/.exec(question);
  if (which) return String(words.indexOf(which[1]!) + 1);
  const place = /^(?:What is|Read) the code at the ([a-z ]+)[?.]$/.exec(question);
  if (place) return part(place[1]!);
  const where = /^Where is the code (\S+)\?$/.exec(question);
  if (where) return filled.find((p) => part(p) === where[1]);
  switch (question) {
    case 'Read the first line.':
      return words[0];
    case 'Read the last line.':
      return words.at(-1);
    case 'How many lines are there?':
      return String(words.length);
    case 'How many codes are there?':
      return String(filled.length);
    case 'What does it say?':
    case 'What is the code?':
    case 'Read the code.':
      return words.length === 1 ? words[0] : undefined;
    case 'Read everything.':
    case 'What is written here?': {
      if (!codes) return words.join('\n');
      // By rows, then from left to right; two codes may touch in one row.
      const order = (p: string) => lines.findIndex(({ row, text }) => inHalf(p, row) && text.includes(part(p)));
      const inHalf = (p: string, row: number) => p.startsWith('top') === row < scene.height / 2;
      return [...filled]
        .sort((a, b) => order(a) - order(b) || Number(a.endsWith('right')) - Number(b.endsWith('right')))
        .map(part)
        .join('\n');
    }
  }
  return undefined;
}

function readReceipt(scene: Scene, question: string): string | undefined {
  const rows = rowsOfText(scene).map(({ text }) => {
    const price = text.slice(-4);
    return { name: text.slice(0, -4).trim(), price };
  });
  const items = rows.filter(({ name }) => name !== 'SUM');
  const priceOf = /^(?:How much is|What does) the (\S+?)(?:\?| cost\?)$/.exec(question);
  if (priceOf) return items.find(({ name }) => name === priceOf[1])?.price ?? 'It is not on the receipt.';
  const costs = /^What costs (\S+)\?$/.exec(question);
  if (costs) return items.find(({ price }) => price === costs[1])?.name;
  const there = /^Is there (\S+) on the receipt\?$/.exec(question);
  if (there) return items.some(({ name }) => name === there[1]) ? 'yes' : 'no';
  switch (question) {
    case 'What is the total?':
    case 'How much is it in total?': {
      const sum = items.reduce((all, { price }) => all + Math.round(Number(price) * 100), 0);
      const shown = rows.at(-1);
      // What stands there is the sum, as far as four characters show it.
      return shown?.name === 'SUM' && (sum / 100).toFixed(2).startsWith(shown.price) ? shown.price : undefined;
    }
    case 'What is the first item?':
      return items[0]?.name;
    case 'What is the last item?':
      return items.at(-1)?.name;
    case 'How many items are there?':
      return String(items.length);
    case 'Read everything.':
    case 'What is written here?':
      return rows.map(({ name, price }) => `${name} ${price}`).join('\n');
  }
  return undefined;
}

function readShapes(scene: Scene, question: string): string | undefined {
  const shapes = scene.cells.flatMap((cell, i) =>
    cell?.kind === 'shape' ? [{ ...cell, row: Math.floor(i / scene.width), col: i % scene.width }] : [],
  );
  const one = (kind: string) => {
    const found = shapes.filter(({ shape }) => shape === kind);
    return found.length === 1 ? found[0] : undefined;
  };
  const counted = /^How many (\w+)( shapes)? are there\?$/.exec(question);
  if (question === 'How many shapes are there?') return String(shapes.length);
  if (counted?.[2]) return String(shapes.filter(({ colour }) => colour === counted[1]).length);
  if (counted) return String(shapes.filter(({ shape }) => counted[1] === (shape === 'cross' ? 'crosses' : `${shape}s`)).length);
  const about = /^(What colour|How big|Where) is the (\w+)\?$/.exec(question);
  if (about) {
    const kind = about[2]!;
    if (!shapes.some(({ shape }) => shape === kind)) return `There is no ${kind}.`;
    const found = one(kind);
    if (!found) return undefined;
    if (about[1] === 'What colour') return found.colour;
    if (about[1] === 'How big') return found.big ? 'big' : 'small';
    return `${2 * found.row < scene.height ? 'top' : 'bottom'} ${2 * found.col < scene.width ? 'left' : 'right'}`;
  }
  const coloured = /^What shape is (\w+)\?$/.exec(question);
  if (coloured) {
    const found = shapes.filter(({ colour }) => colour === coloured[1]);
    return found.length === 1 ? found[0]!.shape : undefined;
  }
  const there = /^Is there an? (\w+) (\w+)\?$/.exec(question);
  if (there) return shapes.some((s) => s.colour === there[1] && s.shape === there[2]) ? 'yes' : 'no';
  const relation = /^Is the (\w+) (\w+) (left of|right of|above|below) the (\w+) (\w+)\?$/.exec(question);
  if (relation) {
    const find = (colour: string, shape: string) => shapes.filter((s) => s.colour === colour && s.shape === shape);
    const [a, ...moreA] = find(relation[1]!, relation[2]!);
    const [b, ...moreB] = find(relation[4]!, relation[5]!);
    if (!a || !b || moreA.length > 0 || moreB.length > 0) return undefined;
    const holds = { 'left of': a.col < b.col, 'right of': a.col > b.col, above: a.row < b.row, below: a.row > b.row };
    return holds[relation[3] as keyof typeof holds] ? 'yes' : 'no';
  }
  if (question === 'Describe the image.' || question === 'What can you see?') {
    return shapes.map(({ big, colour, shape }) => `a ${big ? 'big' : 'small'} ${colour} ${shape}`).join(', ') || 'nothing';
  }
  return undefined;
}

function readChart(scene: Scene, question: string): string | undefined {
  const bars: { label: string; height: number; colour: string }[] = [];
  for (let col = 0; col < scene.width; col++) {
    const label = cellAt(scene, scene.height - 1, col);
    if (label?.kind !== 'character') continue;
    let height = 0;
    let colour = '';
    for (let row = scene.height - 2; row >= 0; row--) {
      const cell = cellAt(scene, row, col);
      if (cell?.kind !== 'bar') break;
      colour = cell.colour;
      height++;
    }
    bars.push({ label: label.character, height, colour });
  }
  const about = /^(How high|What colour) is bar (\w)\?$/.exec(question);
  if (about) {
    const bar = bars.find(({ label }) => label === about[2]);
    if (!bar) return `There is no bar ${about[2]}.`;
    return about[1] === 'How high' ? String(bar.height) : bar.colour;
  }
  const higher = /^Is bar (\w) higher than bar (\w)\?$/.exec(question);
  if (higher) {
    const height = (name: string) => bars.find(({ label }) => label === name)!.height;
    return height(higher[1]!) === height(higher[2]!) ? undefined : height(higher[1]!) > height(higher[2]!) ? 'yes' : 'no';
  }
  const which = /^Which bar is (\S+?)( highest| lowest)?\?$/.exec(question);
  if (which) {
    const heights = bars.map(({ height }) => height);
    const extreme = which[2] === ' highest' ? Math.max(...heights) : Math.min(...heights);
    const found = bars.filter((bar) => (which[2] ? bar.height === extreme : bar.colour === which[1]));
    return found.length === 1 ? found[0]!.label : undefined;
  }
  switch (question) {
    case 'How many bars are there?':
      return String(bars.length);
    case 'Read the labels.':
      return bars.map(({ label }) => label).join(' ');
    case 'Describe the image.':
      return bars.map(({ colour, label, height }) => `${colour} bar ${label} ${height}`).join(', ');
  }
  return undefined;
}

const READERS = { note: readNote, receipt: readReceipt, shapes: readShapes, chart: readChart };
const KIND = { note: 'a note', receipt: 'a receipt', shapes: 'shapes', chart: 'a bar chart' };

describe('answers', () => {
  it('can all be found again by looking at the picture', () => {
    const tasks = new Set<string>();
    const wrong: string[] = [];
    for (let seed = 0; seed < 3000; seed++) {
      const scene = makeScene(new Random(seed));
      for (const { task, question, answer } of scene.questions) {
        const found = question === 'What kind of picture is this?' ? KIND[scene.kind] : READERS[scene.kind](scene, question);
        if (found !== answer) wrong.push(`seed ${seed}: ${question} ${answer}, found ${found}`);
        tasks.add(task);
      }
    }
    expect(wrong).toEqual([]);
    expect([...tasks].sort()).toEqual([
      'chart: absent',
      'chart: all',
      'chart: bar colour',
      'chart: count',
      'chart: height',
      'chart: highest',
      'chart: relation',
      'chart: what',
      'note: absent',
      'note: all',
      'note: count',
      'note: line',
      'note: place',
      'note: read',
      'note: what',
      'note: where',
      'note: which line',
      'receipt: absent',
      'receipt: all',
      'receipt: count',
      'receipt: is there',
      'receipt: item',
      'receipt: price',
      'receipt: total',
      'receipt: what',
      'shapes: absent',
      'shapes: all',
      'shapes: colour',
      'shapes: count',
      'shapes: count colour',
      'shapes: count kind',
      'shapes: is there',
      'shapes: kind',
      'shapes: relation',
      'shapes: size',
      'shapes: what',
      'shapes: where',
    ]);
  });

  it('of text questions are right', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 3000; seed++) {
      const { task, question, answer } = makeTextQuestion(new Random(seed));
      const [, first = '', second = ''] =
        /^(?:Repeat|Write|Sort|What comes after|How many characters are in|What is|Is|If) (.+?)(?: backwards| in (\w+))?[.?]$/.exec(
          question,
        ) ?? [];
      const expected: Record<string, () => string | undefined> = {
        'text: repeat': () => first,
        'text: reverse': () => first.split('').reverse().join(''),
        'text: sort': () => first.split(' ').sort().join(' '),
        'text: add': () => String(first.split(' + ').reduce((sum, n) => sum + Number(n), 0)),
        'text: subtract': () => String(Number(first.split(' - ')[0]) - Number(first.split(' - ')[1])),
        'text: next': () => String.fromCharCode(first.charCodeAt(0) + 1),
        'text: length': () => String(first.length),
        'text: lookup': () => new RegExp(`${first.at(-1)} is (\\d)`).exec(first)?.[1],
        'text: count character': () => (second.includes(first) ? 'yes' : 'no'),
        'text: fact': () => answer,
      };
      expect(answer, question).toBe(expected[task]?.());
      seen.add(task);
    }
    expect(seen.size).toBe(10);
  });
});
