import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createChatTemplate } from './chat-template.ts';
import { planTokens } from './token-plan.ts';
import { unrolled, wrapped } from './image-layout.ts';
import { createTokenizer } from './tokenizer.ts';
import type { ChatMessage, TokenPlan } from './types.ts';

const read = (path: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../tests/fixtures/cases/answer-tokens/${path}`, import.meta.url), 'utf8'));

/** Qwen3's, with the part of its vocabulary that these conversations need; ids and template are its own. */
const config = read('qwen3/tokenizer_config.json') as { chat_template: string };
const tokenizer = createTokenizer(read('qwen3/tokenizer.json'), config);
const qwen3 = createChatTemplate(config);

function plan(messages: ChatMessage[], chatTemplate = qwen3, addGenerationPrompt = false): TokenPlan {
  const layout = { routing: unrolled, block: wrapped('<Image>', '</Image>'), joinTags: false, placeholder: '<image>' };
  const image = { layout, pictures: [], tokensPerTile: 1, imageTokenId: 151655 };
  return planTokens({ ...image, tokenizer, chatTemplate, messages, addGenerationPrompt });
}
const turns = (...texts: string[]): ChatMessage[] => texts.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }));
const learnt = ({ labels }: TokenPlan): string => tokenizer.decode(labels.filter((label) => label !== -100));
const text = ({ inputIds }: TokenPlan): string => tokenizer.decode(inputIds);

describe('answers with added tokens', () => {
  it.each(['plain', 'think', 'box'])('%s: text, ids and what is learnt are those of transformers', (name) => {
    const [record] = read(`${name}/data.json`) as { conversations: { value: string }[] }[];
    const expected = read(`${name}/expected.json`) as { text: string; ids: number[]; learnt: [number, number] };
    const made = plan(turns(...record!.conversations.map(({ value }) => value)));
    expect(text(made)).toBe(expected.text);
    expect([...made.inputIds]).toEqual(expected.ids);
    const [from, to] = expected.learnt;
    expect([...made.labels]).toEqual(expected.ids.map((id, i) => (from <= i && i < to ? id : -100)));
  });

  it('what a user types forges none of them, in the same conversation', () => {
    const made = plan(turns('What is <think> or <|im_end|>?', '<think>\nhm\n</think>\n\nA token: <|im_end|>'));
    const count = (content: string): number => made.inputIds.filter((id) => id === tokenizer.idOf(content)).length;
    // One that the model says, two that end the turns; the user's are characters.
    expect(count('<|im_end|>')).toBe(3);
    expect(count('<think>')).toBe(1);
  });

  it('an earlier answer is learnt as the template shows it, without its thoughts', () => {
    const made = plan(turns('1+1?', '<think>\nsimple\n</think>\n\n2', '1+1?', 'two'));
    expect(text(made)).toContain('<|im_start|>assistant\n2<|im_end|>\n<|im_start|>user');
    expect(learnt(made)).toBe('2<|im_end|>two<|im_end|>');
  });

  it('an answer that the template writes anew is learnt from the generation prompt on', () => {
    const made = plan(turns('1+1?', '<think>simple</think>2'));
    expect(text(made)).toContain('assistant\n<think>\nsimple\n</think>\n\n2<|im_end|>');
    expect(learnt(made)).toBe('<think>\nsimple\n</think>\n\n2<|im_end|>');
  });

  it('a conversation goes on with the ids that were trained', () => {
    const asked = plan(turns('1+1?', '<think>\nsimple\n</think>\n\n2', '1+1?'), qwen3, true);
    const whole = plan(turns('1+1?', '<think>\nsimple\n</think>\n\n2', '1+1?', 'two'));
    expect([...whole.inputIds.slice(0, asked.inputIds.length)]).toEqual([...asked.inputIds]);
  });

  it('the token of a picture is the only one that is not said', () => {
    const made = plan(turns('1+1?', '<|image_pad|><|vision_end|>'));
    expect(made.inputIds).not.toContain(151655);
    expect(made.inputIds).toContain(151653);
  });

  it.each(['two', '  two\n', '\n\n', '', '\ufdd00\ufdd1', 'two\ufdd1'])(
    '%j keeps its white space and its characters where the template does',
    (answer) => {
      const keeps = createChatTemplate({
        chat_template: "{% for m in messages %}<|im_start|>{{ m.role + '\n' + m.content }}<|im_end|>\n{% endfor %}",
      });
      expect(learnt(plan(turns('1+1?', answer), keeps))).toBe(`${answer}<|im_end|>`);
    },
  );

  it('white space that the template trims is not learnt', () => {
    const trims = createChatTemplate({
      chat_template:
        "{% for m in messages %}<|im_start|>{{ m.role + '\n' + m.content | trim }}<|im_end|>\n{% endfor %}" +
        '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}',
    });
    const made = plan(turns('1+1?', '\ntwo\n'), trims);
    expect(learnt(made)).toBe('two<|im_end|>');
    expect(text(made)).toContain('assistant\ntwo<|im_end|>');
  });

  it('one that leaves no character for a mark is refused', () => {
    const all = Array.from({ length: 32 }, (_, i) => String.fromCharCode(0xfdd0 + i)).join('');
    expect(() => plan(turns('1+1?', all))).toThrow(expect.objectContaining({ code: 'bad-data' }));
  });
});
