/** How InternVL's own `chat` opens and writes a conversation (InternVL `conversation.py`, style MPT: nothing is trimmed). */
export interface InternVLConversation {
  /** Jinja, for {@link createChatTemplate}. */
  chatTemplate: string;
  systemMessage: string;
}

const hermes2: InternVLConversation = {
  chatTemplate: chatMl('<|im_end|>'),
  systemMessage: '你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，英文名叫InternVL, 是一个有用无害的人工智能助手。',
};

const CONVERSATIONS = new Map<string, InternVLConversation>([
  ['Hermes-2', hermes2],
  // Differs in training alone.
  ['internlm2-chat', hermes2],
  [
    'internvl2_5',
    {
      chatTemplate: chatMl('<|im_end|>\\n'),
      systemMessage: '你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。',
    },
  ],
]);

/** @param name `template` of the checkpoint's config.json; null for one that is not known here */
export function internVLConversation(name: string): InternVLConversation | null {
  return CONVERSATIONS.get(name) ?? null;
}

/** @param end what closes a turn, as it stands in a Jinja string */
function chatMl(end: string): string {
  return (
    `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '${end}' }}` +
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
  );
}
