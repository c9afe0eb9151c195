import { unrolled, type ImageLayout } from '../../../text/image-layout.ts';

/** Tiles one after the other behind their tags, nothing around them; several pictures are numbered. Text is tokenised as one. */
export const tiledLayout: ImageLayout = {
  routing: unrolled,
  block: (tiles, { picture, pictures }) => [
    ...(pictures > 1 ? [{ text: `<image: ${picture}>` }] : []),
    ...tiles.map((_, tile) => ({ tile })),
  ],
  joinTags: true,
  placeholder: '<|image|>',
  inline: true,
};

/** One tile before everything that is said. */
export const wholeLayout: ImageLayout = { ...tiledLayout, block: (tiles) => tiles.map((_, tile) => ({ tile })) };

/**
 * How the models without a `lm_chat_template` were asked: the picture, then `Question: … Answer:`, and the answer right behind it. They
 * were taught one question each.
 */
export const QUESTION_ANSWER =
  "{% for message in messages %}{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<|image|>' }}{% endif %}{% endfor %}" +
  "{% if message['role'] == 'user' %}{{ 'Question: ' }}{% endif %}" +
  "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}" +
  "{% if message['role'] == 'user' %}{{ ' Answer:' }}{% elif message['role'] == 'assistant' %}{{ eos_token }}{% else %}{{ '\\n' }}{% endif %}" +
  '{% endfor %}';
