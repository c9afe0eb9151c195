/** Public checkpoints of the kinds that this engine computes, small enough for a tab; sizes as published, bytes. */
export interface Preset {
  repository: string;
  words: string;
  download: number;
}

export const PRESETS: readonly Preset[] = [
  { repository: 'OpenGVLab/InternVL2_5-1B', words: 'Sees and chats: NVLM-D’s architecture without tile tags, Qwen2.5.', download: 1.88e9 },
  { repository: 'OpenGVLab/InternVL3-1B', words: 'Its successor, the same shape.', download: 1.88e9 },
  { repository: 'OpenGVLab/InternVL3-1B-hf', words: 'The same weights in transformers’ own layout.', download: 1.88e9 },
  { repository: 'OpenGVLab/InternVL2-1B', words: 'The first of the family at this size, Qwen2.', download: 1.88e9 },
  { repository: 'Qwen/Qwen2.5-0.5B-Instruct', words: 'Text alone: the decoder of the models above.', download: 988e6 },
  { repository: 'HuggingFaceTB/SmolLM2-360M-Instruct', words: 'Text alone, a Llama.', download: 724e6 },
  { repository: 'HuggingFaceTB/SmolLM2-135M-Instruct', words: 'Text alone, a Llama: the smallest that talks.', download: 269e6 },
];
