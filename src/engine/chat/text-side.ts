import { tokensPerTile, type NvlmConfig } from '../../nvlm/config.ts';
import { configOf } from '../../nvlm/parse-config.ts';
import { createChatTemplate, type ChatTemplate } from '../../text/chat-template.ts';
import { withExtraTokens } from '../../text/extra-tokens.ts';
import { planTokens } from '../../text/token-plan.ts';
import { createTokenizer } from '../../text/tokenizer.ts';
import type { ChatMessage, Tokenizer, TokenPlan } from '../../text/types.ts';
import type { Tiling } from '../../tiling/types.ts';
import { foreignWork } from '../foreign-work.ts';
import { requireTokenizer, type ModelDescription } from '../../weights/model-folder.ts';
import { imageTokenIdOf } from './special-tokens.ts';

/** The text side of a model folder: enough to plan a sequence, without any weights. */
export interface TextSide {
  config: NvlmConfig;
  tokenizer: Tokenizer;
  chatTemplate: ChatTemplate;
  imageTokenId: number | null;
}

/** Large vocabularies on a slow device take some seconds; a conversation takes milliseconds. */
const [OPEN_SECONDS, PLAN_SECONDS] = [20, 5];

/** @throws NvlmError `bad-model`, `unsupported-model`, `not-found` (no tokenizer) */
export function openTextSide(description: ModelDescription): TextSide {
  return foreignWork('the model’s tokenizer and chat template', OPEN_SECONDS, () => readTextSide(description));
}

function readTextSide(description: ModelDescription): TextSide {
  const config = configOf(description);
  const files = requireTokenizer(description);
  const tokenizer = createTokenizer(withExtraTokens(files.tokenizer, config.extraTokens ?? []), files.tokenizerConfig);
  const chatTemplate = createChatTemplate(files.tokenizerConfig, config.chatTemplate ?? undefined);
  return { config, tokenizer, chatTemplate, imageTokenId: imageTokenIdOf(config, tokenizer) };
}

/** Token plan of a conversation for this model, with its pictures in the order in which they stand. */
export function planConversation(
  text: TextSide,
  messages: readonly ChatMessage[],
  pictures: readonly Pick<Tiling, 'tiles'>[],
  addGenerationPrompt: boolean,
): TokenPlan {
  const { config, tokenizer, chatTemplate, imageTokenId } = text;
  const plan = () =>
    planTokens({
      tokenizer,
      chatTemplate,
      systemMessage: config.systemMessage ?? undefined,
      messages,
      layout: config.layout,
      pictures: pictures.map(({ tiles }) => tiles),
      tokensPerTile: tokensPerTile(config),
      imageTokenId: imageTokenId ?? 0,
      addGenerationPrompt,
    });
  return foreignWork('the model’s chat template', PLAN_SECONDS, plan);
}
