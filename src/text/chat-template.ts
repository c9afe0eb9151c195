import { NvlmError } from '../errors.ts';
import { BudgetExceeded, parseTemplate, renderWithinBudget } from './template-budget.ts';
import { isRecord } from './tokenizer-json.ts';
import type { ChatMessage } from './types.ts';

const SPECIAL_TOKENS = ['bos_token', 'eos_token', 'pad_token', 'unk_token', 'sep_token', 'cls_token', 'mask_token'];

/** A stretch of a message for templates that read contents as lists. */
export type ContentPart = { type: 'text'; text: string } | { type: 'image' };

export interface TemplateMessage {
  role: ChatMessage['role'];
  content: string | readonly ContentPart[];
}

export interface ChatTemplate {
  /** In which forms the template reads contents: as texts, as lists of parts, or either. */
  readonly reads: { texts: boolean; parts: boolean };
  /** @throws NvlmError `bad-model` when the model has no template or the template fails (`raise_exception` included) */
  render(messages: readonly TemplateMessage[], options: { addGenerationPrompt: boolean }): string;
  /** The configuration's `eos_token`. */
  readonly eosToken: string | undefined;
}

/**
 * The chat template of a model folder (Jinja, as in Hugging Face transformers), which runs within a budget.
 *
 * @param tokenizerConfig parsed `tokenizer_config.json`: `chat_template` and the special tokens
 * @param own a template that wins over the configuration's
 * @throws NvlmError `bad-model` when there is a template and it cannot be parsed
 */
export function createChatTemplate(tokenizerConfig: unknown, own?: string): ChatTemplate {
  const config = isRecord(tokenizerConfig) ? tokenizerConfig : {};
  const source = own ?? templateSource(config.chat_template);
  const template = source === undefined ? undefined : parse(source);
  const specialTokens: Record<string, string> = {};
  for (const name of SPECIAL_TOKENS) {
    const token = tokenContent(config[name]);
    if (token !== undefined) specialTokens[name] = token;
  }
  let reads: ChatTemplate['reads'] | undefined;
  return {
    eosToken: specialTokens.eos_token,
    get reads() {
      return (reads ??= template ? formsRead(template, specialTokens) : { texts: true, parts: false });
    },
    render: (messages, { addGenerationPrompt }) => {
      if (!template) {
        throw new NvlmError(
          'bad-model',
          'The model has no chat template, so there is no telling how it was taught to converse.',
          'Choose a chat model, or add "chat_template" to its tokenizer_config.json.',
        );
      }
      try {
        return renderWithinBudget(template, { ...specialTokens, messages, add_generation_prompt: addGenerationPrompt });
      } catch (error) {
        throw badTemplate(error);
      }
    },
  };
}

/** In no text, so that it is found in the output again. */
const PROBE = '\ufdd2';

/** Tried, since no file says it: does a content come through as a text, and as a list of parts? */
function formsRead(template: ReturnType<typeof parseTemplate>, specialTokens: Record<string, string>): ChatTemplate['reads'] {
  const comesThrough = (content: TemplateMessage['content']): boolean => {
    try {
      const messages = [{ role: 'user', content }];
      return renderWithinBudget(template, { ...specialTokens, messages, add_generation_prompt: false }).includes(PROBE);
    } catch (error) {
      // One that does not come to an end is not tried again in another form.
      if (error instanceof BudgetExceeded) throw badTemplate(error);
      return false;
    }
  };
  return { texts: comesThrough(PROBE), parts: comesThrough([{ type: 'text', text: PROBE }]) };
}

/** The model's own system message opens the conversation, unless the conversation brings one. */
export function withSystemMessage(messages: readonly ChatMessage[], systemMessage: string | undefined): ChatMessage[] {
  if (!systemMessage || messages.some(({ role }) => role === 'system')) return [...messages];
  return [{ role: 'system', content: systemMessage }, ...messages];
}

export function badTemplate(cause: unknown): NvlmError {
  return new NvlmError(
    'bad-model',
    `The model's chat template failed: ${cause instanceof Error ? cause.message : String(cause)}`,
    'Check "chat_template" in the model\'s tokenizer_config.json, or choose another model.',
    { cause },
  );
}

function parse(source: string): ReturnType<typeof parseTemplate> {
  try {
    return parseTemplate(source);
  } catch (error) {
    throw badTemplate(error);
  }
}

/** A string, or named templates (`[{name, template}]`), of which `default` is for chatting. */
function templateSource(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) {
    const entry: unknown = value.find((item: unknown) => isRecord(item) && item.name === 'default');
    return isRecord(entry) && typeof entry.template === 'string' ? entry.template : undefined;
  }
  return undefined;
}

/** The text of a special token of tokenizer_config.json: a string, or a serialised `AddedToken`. */
export function tokenContent(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return isRecord(value) && typeof value.content === 'string' ? value.content : undefined;
}
