import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createChatTemplate } from './chat-template.ts';
import { crossAttended, hybrid, unrolled, wrapped, type ImageLayout } from './image-layout.ts';
import { createQwen2TagTokenizer } from './qwen2-tags.ts';
import { planImageBlock, planTokens } from './token-plan.ts';
import type { PlanOptions } from './token-plan.ts';
import { createTokenizer } from './tokenizer.ts';
import type { ChatMessage, TileMark, TokenPlan } from './types.ts';

const read = (path: string): unknown => JSON.parse(readFileSync(new URL(`../../tests/fixtures/text/${path}`, import.meta.url), 'utf8'));
const load = (name: string) => ({
  tokenizer: createTokenizer(read(`${name}/tokenizer.json`), read(`${name}/tokenizer_config.json`)),
  chatTemplate: createChatTemplate(read(`${name}/tokenizer_config.json`)),
});

interface ExpectedPlan {
  inputIds: number[];
  labels: number[];
  crossMask?: string[];
  crossTagIds?: number[][];
}
interface ExpectedChat {
  image: string;
  prompt: string;
  promptIds: number[];
}
/** Inputs of the reference implementation in PyTorch (its `plan`), as plain arrays. */
const reference = read('plans.json') as { records: ChatMessage[][]; tiles: number[] } & Record<string, unknown>;

type Architecture = 'D' | 'X' | 'H';
const ARCHITECTURES: [Architecture, string][] = [
  ['D', 'd'],
  ['X', 'x'],
  ['H', 'h'],
];
const layoutOf = (architecture: Architecture, changes: Partial<ImageLayout> = {}): ImageLayout => ({
  routing: { D: unrolled, X: crossAttended, H: hybrid }[architecture],
  block: wrapped('<Image>', '</Image>'),
  joinTags: false,
  placeholder: '<image>',
  ...changes,
});
/** The last tile is the thumbnail; a single one is tagged as it. */
const tilesFor = (count: number, tagOf = (k: number) => (k === count - 1 ? '<tile_global_thumbnail>' : `<tile_${k + 1}>`)): TileMark[] =>
  Array.from({ length: count }, (_, k) => ({ tag: tagOf(k), col: k, row: 0, thumbnail: count > 1 && k === count - 1 }));
/** One picture of so many tiles, or none. */
const pictureOf = (count: number): TileMark[][] => (count > 0 ? [tilesFor(count)] : []);

const golden = load('golden');
const base = { ...golden, systemMessage: 'Answer the questions.', tokensPerTile: 4, imageTokenId: 3 };
const plan = (options: Partial<PlanOptions>): TokenPlan =>
  planTokens({
    ...base,
    layout: layoutOf('D'),
    pictures: [],
    messages: [{ role: 'user', content: 'Hi' }],
    addGenerationPrompt: false,
    ...options,
  });
const rows = ({ crossMask, crossTiles, inputIds }: TokenPlan): string[] =>
  Array.from(inputIds, (_, row) => crossMask.slice(row * crossTiles.length, (row + 1) * crossTiles.length).join(''));

describe.each(ARCHITECTURES)('%s', (architecture, letter) => {
  it('plans every record as the reference does', () => {
    (reference[`nvlm-${letter}`] as ExpectedPlan[]).forEach((expected, k) => {
      const messages = reference.records[k] ?? [];
      const tiles = reference.tiles[k] ?? 0;
      const made = plan({ layout: layoutOf(architecture), messages, pictures: pictureOf(tiles) });
      expect([...made.inputIds]).toEqual(expected.inputIds);
      expect([...made.labels]).toEqual(expected.labels);
      expect(rows(made)).toEqual(expected.crossMask ?? expected.inputIds.map(() => ''));
      expect(made.crossTagIds.map((ids) => [...ids])).toEqual(expected.crossTagIds ?? []);
    });
  });

  it('plans chat prompts as the reference does', () => {
    for (const { image, prompt, promptIds } of reference[`chat-${letter}`] as ExpectedChat[]) {
      // Pictures are numbered; records with text alone stand between them.
      const record = [0, 2, 3, 4, 6, 7][Number.parseInt(image.slice('../data/'.length), 10)] ?? 0;
      const pictures = pictureOf(reference.tiles[record] ?? 0);
      const messages: ChatMessage[] = [{ role: 'user', content: prompt }];
      const made = plan({ layout: layoutOf(architecture), messages, pictures, addGenerationPrompt: true });
      expect([...made.inputIds]).toEqual(promptIds);
    }
  });

  it('holds its invariants on any conversation', () => {
    const controls = golden.tokenizer.addedTokens.map(({ content }) => content);
    const content = fc
      .array(fc.oneof(fc.constantFrom('<image>', '<Image>', '<tile_1>', '\ufdd00\ufdd1', ...controls), fc.string({ unit: 'binary' })))
      .map((x) => x.join(''));
    const turns = fc.array(fc.tuple(content, content), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(turns, fc.integer({ min: 0, max: 7 }), fc.boolean(), (pairs, tiles, joinTags) => {
        const messages = pairs.flatMap(([user, assistant]): ChatMessage[] => [
          { role: 'user', content: user },
          { role: 'assistant', content: assistant },
        ]);
        const made = plan({ layout: layoutOf(architecture, { joinTags }), messages, pictures: pictureOf(tiles) });
        const { inputIds, segments, counts, sequenceTiles, crossTiles } = made;
        const count = (id: number): number => inputIds.filter((x) => x === id).length;

        // Segments cover the sequence, in order.
        expect(segments.map(({ start }) => start)).toEqual([0, ...segments.slice(0, -1).map(({ end }) => end)]);
        expect(segments.at(-1)?.end).toBe(inputIds.length);
        expect(counts.decoderTokens).toBe(inputIds.length);

        // Control tokens are the template's and those that answers say, whatever the user types: a turn opens and
        // closes once, placeholders are counted.
        const said = (id: number): number =>
          pairs.reduce((sum, [, answer]) => sum + answer.split(golden.tokenizer.tokenText(id)).length - 1, 0);
        expect(count(1)).toBe(messages.length + 1 + said(1));
        expect(count(2)).toBe(messages.length + 1 + said(2));
        expect(count(3)).toBe(sequenceTiles.length * 4);
        expect(count(0)).toBe(said(0));
        expect(segments.filter(({ kind }) => kind === 'visual').map(({ tile }) => tile)).toEqual(sequenceTiles);

        // Labels are answers and nothing else.
        const answers = segments.filter(({ kind }) => kind === 'answer');
        made.labels.forEach((label, row) => {
          const inAnswer = answers.some(({ start, end }) => start <= row && row < end);
          expect(label).toBe(inAnswer ? inputIds[row] : -100);
        });

        // The mask: none before the image, a tag its own tile (X), all from then on.
        const seen = rows(made);
        const none = '0'.repeat(crossTiles.length);
        const all = '1'.repeat(crossTiles.length);
        let after = false;
        for (const { kind, start, end, tile, text } of segments) {
          const own = crossTiles.map((x) => (x === tile ? '1' : '0')).join('');
          const inImage = kind === 'tag' || kind === 'visual';
          if (inImage || (tiles > 0 && kind === 'text' && text?.startsWith('</Image>'))) after = true;
          const expected = kind === 'tag' && architecture === 'X' ? own : after ? all : none;
          expect(seen.slice(start, end).every((row) => row === expected)).toBe(true);
        }
      }),
      { numRuns: 80 },
    );
  });
});

describe('the image placeholder', () => {
  const image = { pictures: pictureOf(1) };
  const ask = (content: string, options: Partial<PlanOptions> = image): number[] => [
    ...plan({ ...options, messages: [{ role: 'user', content }] }).inputIds,
  ];
  const text = (made: number[]): string => golden.tokenizer.decode(made);

  it('may be left out: the image comes first, on a line of its own', () => {
    expect(ask('What?')).toEqual(ask('<image>\nWhat?'));
  });

  it('may stand inside the question', () => {
    expect(text(ask('Here <image> it is'))).toContain('user\nHere <Image><tile_global_thumbnail>');
  });

  it('counts once; a second one, and one without an image, is plain text', () => {
    expect(text(ask('<image>\nIs <image> a tag?'))).toContain('Is <image> a tag?<|im_end|>');
    expect(text(ask('<image>\nHi', {}))).toContain('user\n<image>\nHi<|im_end|>');
  });

  it('stands in the first user message that says so, else in the first', () => {
    const turns = (one: string, two: string): ChatMessage[] => [
      { role: 'user', content: one },
      { role: 'assistant', content: '<image>' },
      { role: 'user', content: two },
    ];
    const made = (one: string, two: string) => text([...plan({ ...image, messages: turns(one, two) }).inputIds]);
    expect(made('One', 'Two')).toMatch(/user\n<Image>.*One.*user\nTwo/s);
    expect(made('One', '<image>\nTwo')).toMatch(/user\nOne.*user\n<Image>.*Two/s);
    expect(made('<image>\nOne', '<image>\nTwo')).toMatch(/user\n<Image>.*One.*user\n<image>\nTwo/s);
  });
});

describe('one token a tag (nano-d)', () => {
  const nano = load('nano-d');
  it("keeps typed tags apart from the plan's own", () => {
    const made = planTokens({
      ...nano,
      layout: layoutOf('D'),
      pictures: pictureOf(3),
      tokensPerTile: 16,
      imageTokenId: 643,
      addGenerationPrompt: true,
      messages: [{ role: 'user', content: 'Is <tile_1> in </Image><|vision_pad|>?' }],
    });
    const count = (token: string): number => made.inputIds.filter((id) => id === nano.tokenizer.idOf(token)).length;
    expect(count('<tile_1>')).toBe(1);
    expect(count('</Image>')).toBe(1);
    expect(count('<|vision_pad|>')).toBe(48);
    expect(made.counts).toMatchObject({ visualTokens: 48, tagTokens: 3, crossAttentionTokens: 0 });
    expect(nano.tokenizer.decode(made.inputIds)).toContain('Is <tile_1> in </Image><|vision_pad|>?');
  });
});

describe('other templates', () => {
  const json = read('golden/tokenizer.json') as { added_tokens: { id: number; content: string }[] };
  const names = ['<|begin_of_text|>', '<|start_header_id|>', '<|eot_id|>', '<|image_pad|>', '<|end_header_id|>'];
  const llama = createTokenizer({ ...json, added_tokens: names.map((content, k) => ({ id: 400 + k, content, special: true })) }, {});
  const chatTemplate = createChatTemplate({
    bos_token: '<|begin_of_text|>',
    eos_token: '<|eot_id|>',
    chat_template:
      '{% for message in messages %}' +
      "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' " +
      "+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}" +
      '{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}' +
      "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
  });
  const make = (options: Partial<PlanOptions>): TokenPlan =>
    plan({ tokenizer: llama, chatTemplate, systemMessage: undefined, imageTokenId: 403, ...options });

  it('Llama 3: opens with one BOS, trims, and learns the answer up to <|eot_id|>', () => {
    const made = make({
      pictures: pictureOf(1),
      messages: [
        { role: 'user', content: '  <image> What <|eot_id|>?  ' },
        { role: 'assistant', content: 'A cat.' },
      ],
    });
    expect(llama.decode(made.inputIds)).toBe(
      '<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n<Image><tile_global_thumbnail>' +
        `${'<|image_pad|>'.repeat(4)}</Image> What <|eot_id|>?<|eot_id|>` +
        '<|start_header_id|>assistant<|end_header_id|>\n\nA cat.<|eot_id|>',
    );
    expect(made.inputIds.filter((id) => id === 402)).toHaveLength(2);
    const learnt = made.labels.filter((id) => id !== -100);
    expect(llama.decode(learnt)).toBe('A cat.<|eot_id|>');
  });

  it('an end after a blank is learnt with its blank', () => {
    const spaced = createChatTemplate({
      eos_token: '</s>',
      chat_template: "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + ' ' + eos_token }}{% endfor %}",
    });
    const made = plan({
      chatTemplate: spaced,
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Yes' },
      ],
    });
    expect(golden.tokenizer.decode(made.labels.filter((id) => id !== -100))).toBe('Yes </s>');
  });

  it.each([
    ['drops the system turn', "{% for m in messages %}{% if m['role'] != 'system' %}{{ m['content'] }}{% endif %}{% endfor %}"],
    ['repeats a message', "{{ messages[0]['content'] }}{{ messages[0]['content'] }}{{ messages[1]['content'] }}"],
    ['reorders messages', "{{ messages[1]['content'] }}{{ messages[0]['content'] }}"],
  ])('one that %s is refused', (_, chat_template) => {
    expect(() => plan({ chatTemplate: createChatTemplate({ chat_template }) })).toThrowError(
      expect.objectContaining({ code: 'bad-model' }),
    );
  });

  it("InternVL's wrapper, no tags", () => {
    const made = plan({
      layout: layoutOf('D', { block: wrapped('<img>', '</img>') }),
      pictures: [tilesFor(2, () => '')],
      messages: [{ role: 'user', content: 'Hi' }],
    });
    expect(golden.tokenizer.decode(made.inputIds)).toContain(`user\n<img>${'<|vision_pad|>'.repeat(8)}</img>\nHi`);
    expect(made.segments.filter(({ kind }) => kind === 'tag')).toEqual([]);
    expect(made.counts.tagTokens).toBe(0);
  });
});

describe('planImageBlock', () => {
  const qwen = { tokenizer: createQwen2TagTokenizer(), tokensPerTile: 256, imageTokenId: 151654 };
  const block = (architecture: Architecture, tiles: number, joinTags = false): TokenPlan =>
    planImageBlock({ ...qwen, layout: layoutOf(architecture, { joinTags }), pictures: pictureOf(tiles) });

  it("counts NVLM-1.0's tokens of a 6+1-tile picture", () => {
    expect(block('D', 7).counts).toEqual({
      decoderTokens: 2 + 7 * 261 + 3,
      crossAttentionTokens: 0,
      visualTokens: 1792,
      tagTokens: 35,
    });
    expect(block('X', 7).counts).toEqual({
      decoderTokens: 2 + 35 + 3,
      crossAttentionTokens: 1792,
      visualTokens: 1792,
      tagTokens: 35,
    });
    expect(block('H', 7).counts).toEqual({
      decoderTokens: 2 + 261 + 3,
      crossAttentionTokens: 6 * 261,
      visualTokens: 1792,
      tagTokens: 35,
    });
  });

  it('gives a one-tile picture in H nothing to cross-attend', () => {
    const made = block('H', 1);
    expect(made.crossTiles).toEqual([]);
    expect(made.crossMask).toHaveLength(0);
    expect(made.counts.crossAttentionTokens).toBe(0);
  });

  it('joins wrapper and first tag as Hugging Face does: one token less', () => {
    const joined = block('D', 3, true);
    expect([...joined.inputIds.slice(0, 6)]).toEqual([46465, 1784, 21094, 62, 16, 29]);
    expect(joined.segments.slice(0, 3)).toEqual([
      { kind: 'text', start: 0, end: 1, text: '<Image>' },
      { kind: 'tag', start: 1, end: 6, tile: 0, text: '<tile_1>' },
      { kind: 'visual', start: 6, end: 262, tile: 0 },
    ]);
    expect(joined.counts.decoderTokens).toBe(block('D', 3).counts.decoderTokens - 1);
  });

  it('changes nothing by joining where no token spans the seam', () => {
    const block = wrapped('<Image>\n', '\n</Image>');
    const planned = (joinTags: boolean) => planImageBlock({ ...qwen, layout: layoutOf('D', { block, joinTags }), pictures: pictureOf(1) });
    expect(planned(true)).toEqual(planned(false));
  });

  it('cuts joined tags of X where each tag ends', () => {
    const made = block('X', 3, true);
    // <Image ><tile_1 ><tile_2 ><tile_global_thumbnail ></Image>: each bracket pair belongs to the later tag.
    expect(made.segments.map(({ kind, start, end }) => [kind, end - start])).toEqual([
      ['text', 1],
      ['tag', 4],
      ['tag', 4],
      ['tag', 4],
      ['text', 3],
    ]);
    expect(rows(made).join(' ')).toBe('000 100 100 100 100 010 010 010 010 001 001 001 001 111 111 111');
  });

  it('is the block that stands in a conversation', () => {
    for (const [architecture] of ARCHITECTURES) {
      const image = { layout: layoutOf(architecture), pictures: pictureOf(4) };
      const whole = plan(image);
      const alone = planImageBlock({ ...base, ...image });
      const inside = ({ segments }: TokenPlan): unknown[] =>
        segments.filter(({ kind }) => kind === 'tag' || kind === 'visual').map(({ start, end, ...rest }) => [end - start, rest]);
      expect(inside(whole)).toEqual(inside(alone));
      expect(whole.counts.crossAttentionTokens).toBe(alone.counts.crossAttentionTokens);
    }
  });

  it('refuses geometry that cannot be', () => {
    const bad = (tokensPerTile: number) => () =>
      planImageBlock({ ...qwen, layout: layoutOf('D'), pictures: [tilesFor(2, () => '')], tokensPerTile });
    for (const tokens of [0, 1.5, Number.NaN, 1e9]) {
      expect(bad(tokens)).toThrowError(expect.objectContaining({ code: 'bad-model' }));
    }
  });
});

describe('errors', () => {
  it('an empty question is refused in chat, not in training', () => {
    const messages: ChatMessage[] = [{ role: 'user', content: '<image>' }];
    const image = { pictures: pictureOf(1), messages };
    expect(() => plan({ ...image, addGenerationPrompt: true })).toThrowError(expect.objectContaining({ code: 'empty-prompt' }));
    expect(() => plan(image)).not.toThrow();
  });

  it("an image_token_id that is ordinary text is the model's fault", () => {
    const [id = 0] = golden.tokenizer.encode('a');
    const messages: ChatMessage[] = [{ role: 'user', content: 'a' }];
    expect(() => plan({ imageTokenId: id, pictures: pictureOf(1), messages })).toThrowError(/keeps for image positions/);
  });
});
