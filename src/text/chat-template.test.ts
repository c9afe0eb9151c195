import { describe, expect, it } from 'vitest';
import { createChatTemplate, withSystemMessage } from './chat-template.ts';
import type { ChatMessage } from './types.ts';

const CHATML =
  "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
const hello: ChatMessage[] = [{ role: 'user', content: 'Hello' }];
const badModel = expect.objectContaining({ code: 'bad-model' });

describe('createChatTemplate', () => {
  it('renders with and without the generation prompt', () => {
    const template = createChatTemplate({ chat_template: CHATML });
    expect(template.render(hello, { addGenerationPrompt: false })).toBe('<|im_start|>user\nHello<|im_end|>\n');
    expect(template.render(hello, { addGenerationPrompt: true })).toBe('<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n');
  });

  it('hands over the special tokens, plain or serialised', () => {
    const template = createChatTemplate({
      bos_token: '<s>',
      eos_token: { content: '</s>', special: true },
      chat_template: '{{ bos_token }}{{ messages[0].content }}{{ eos_token }}',
    });
    expect(template.render(hello, { addGenerationPrompt: false })).toBe('<s>Hello</s>');
    expect(template.eosToken).toBe('</s>');
  });

  it('takes the default of named templates, and another one before it', () => {
    const named = [
      { name: 'tool_use', template: 'tools' },
      { name: 'default', template: 'chat' },
    ];
    expect(createChatTemplate({ chat_template: named }).render(hello, { addGenerationPrompt: true })).toBe('chat');
    const both = createChatTemplate({ chat_template: 'config' }, 'own');
    expect(both.render(hello, { addGenerationPrompt: true })).toBe('own');
  });

  it('refuses a template that cannot be parsed, or is huge', () => {
    expect(() => createChatTemplate({ chat_template: '{% for m in messages %}' })).toThrowError(badModel);
    expect(() => createChatTemplate({ chat_template: ' '.repeat(300_000) })).toThrowError(badModel);
  });

  it('passes on what the template complains about', () => {
    const template = createChatTemplate({ chat_template: "{{ raise_exception('roles must alternate') }}" });
    expect(() => template.render(hello, { addGenerationPrompt: true })).toThrowError(/roles must alternate/);
    expect(() => template.render(hello, { addGenerationPrompt: true })).toThrowError(badModel);
  });

  it('says so when there is none', () => {
    expect(() => createChatTemplate({}).render(hello, { addGenerationPrompt: true })).toThrowError(badModel);
    expect(() => createChatTemplate(null).render(hello, { addGenerationPrompt: true })).toThrowError(badModel);
  });
});

describe('withSystemMessage', () => {
  it('opens the conversation with it, once', () => {
    const opened = withSystemMessage(hello, 'Be brief.');
    expect(opened).toEqual([{ role: 'system', content: 'Be brief.' }, ...hello]);
    expect(withSystemMessage(opened, 'Something else.')).toEqual(opened);
    expect(withSystemMessage(hello, undefined)).toEqual(hello);
    expect(withSystemMessage(hello, '')).toEqual(hello);
  });
});
