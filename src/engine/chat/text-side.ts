import { parseConfig, tokensPerTile, type NvlmConfig } from '../../nvlm/config.ts';
import { createChatTemplate, type ChatTemplate } from '../../text/chat-template.ts';
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
  const config = parseConfig(description.config);
  const files = requireTokenizer(description);
  const tokenizer = createTokenizer(files.tokenizer, files.tokenizerConfig);
  const chatTemplate = createChatTemplate(files.tokenizerConfig, config.chatTemplate ?? undefined);
  return { config, tokenizer, chatTemplate, imageTokenId: imageTokenIdOf(config, tokenizer) };
}

/** Token plan of a conversation for this model; with `tiling`, the picture stands in the first user message. */
export function planConversation(
  text: TextSide,
  messages: readonly ChatMessage[],
  tiling: Pick<Tiling, 'tiles'> | null,
  addGenerationPrompt: boolean,
): TokenPlan {
  const { config, tokenizer, chatTemplate, imageTokenId } = text;
  const plan = () => planTokens({
    architecture: config.architecture,
    tokenizer,
    chatTemplate,
    systemMessage: config.systemMessage ?? undefined,
    messages,
    tags: tiling ? tiling.tiles.map((tile) => tile.tag) : [],
    tokensPerTile: tokensPerTile(config),
    imageTokenId: imageTokenId ?? 0,
    addGenerationPrompt,
    wrapper: config.wrapper,
    joinTags: config.joinTags,
  });
  return foreignWork('the model’s chat template', PLAN_SECONDS, plan);
}
