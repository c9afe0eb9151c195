import { expect, it } from 'vitest';
import { createChatTemplate, withSystemMessage } from '../../../text/chat-template.ts';
import { internVLConversation } from './conversations.ts';
import type { ChatMessage } from '../../../text/types.ts';

const MESSAGES: ChatMessage[] = [
  { role: 'user', content: '<image>\n What is this? ' },
  { role: 'assistant', content: 'A cat.' },
  { role: 'user', content: 'Sure?\n' },
];

/** Made by `get_prompt` of InternVL's own `conversation.py`. */
const PROMPTS = {
  'Hermes-2':
    '<|im_start|>system\n你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，英文名叫InternVL, 是一个有用无害的人工智能助手。' +
    '<|im_end|><|im_start|>user\n<image>\n What is this? <|im_end|><|im_start|>assistant\nA cat.<|im_end|>' +
    '<|im_start|>user\nSure?\n<|im_end|><|im_start|>assistant\n',
  internvl2_5:
    '<|im_start|>system\n你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。' +
    '<|im_end|>\n<|im_start|>user\n<image>\n What is this? <|im_end|>\n<|im_start|>assistant\nA cat.<|im_end|>\n' +
    '<|im_start|>user\nSure?\n<|im_end|>\n<|im_start|>assistant\n',
};

it.each([
  ['Hermes-2', PROMPTS['Hermes-2']],
  ['internlm2-chat', PROMPTS['Hermes-2']],
  ['internvl2_5', PROMPTS.internvl2_5],
])('%s writes the prompt of InternVL’s code', (name, prompt) => {
  const { chatTemplate, systemMessage } = internVLConversation(name)!;
  const template = createChatTemplate({ chat_template: 'the tokenizer’s' }, chatTemplate);
  expect(template.render(withSystemMessage(MESSAGES, systemMessage), { addGenerationPrompt: true })).toBe(prompt);
  expect(internVLConversation('chatml')).toBeNull();
});
