/** Public checkpoints of the kinds that this engine computes, small enough for a tab; sizes as published, bytes. */
export interface Preset {
  repository: string;
  /** What it is good at. */
  words: string;
  licence: string;
  download: number;
  seesPhotographs: boolean;
}

export const PRESETS: readonly Preset[] = [
  {
    repository: 'HuggingFaceTB/SmolVLM-256M-Instruct',
    words: 'Describes photographs, reads short text: the smallest that sees them.',
    licence: 'Apache 2.0',
    download: 513e6,
    seesPhotographs: true,
  },
  {
    repository: 'HuggingFaceTB/SmolVLM-500M-Instruct',
    words: 'The same with a larger decoder: more exact about text and charts.',
    licence: 'Apache 2.0',
    download: 1.02e9,
    seesPhotographs: true,
  },
  {
    repository: 'lusxvr/nanoVLM-222M',
    words: 'The model of a well-known tutorial: SigLIP and SmolLM2-135M, one tile of 224 pixels, one question.',
    licence: 'MIT',
    download: 888e6,
    seesPhotographs: true,
  },
  {
    repository: 'lusxvr/nanoVLM-450M',
    words: 'The same code with SmolLM2-360M, one tile of 256 pixels.',
    licence: 'MIT',
    download: 1.8e9,
    seesPhotographs: true,
  },
  {
    repository: 'lusxvr/nanoVLM-230M-8k',
    words: 'Its later form: tiles of 512 pixels with row and column tags, the whole picture first.',
    licence: 'MIT',
    download: 912e6,
    seesPhotographs: true,
  },
  {
    repository: 'OpenGVLab/InternVL2_5-1B',
    words: 'Photographs, documents, charts: NVLM-D’s architecture without tile tags, Qwen2.5.',
    licence: 'MIT',
    download: 1.88e9,
    seesPhotographs: true,
  },
  {
    repository: 'OpenGVLab/InternVL3-1B',
    words: 'Its successor, the same shape.',
    licence: 'Apache 2.0',
    download: 1.88e9,
    seesPhotographs: true,
  },
  {
    repository: 'OpenGVLab/InternVL3-1B-hf',
    words: 'The same weights in transformers’ own layout.',
    licence: 'Apache 2.0',
    download: 1.88e9,
    seesPhotographs: true,
  },
  {
    repository: 'OpenGVLab/InternVL3_5-1B',
    words: 'The newest of the family at this size, with a Qwen3 decoder.',
    licence: 'Apache 2.0',
    download: 2.12e9,
    seesPhotographs: true,
  },
  {
    repository: 'OpenGVLab/InternVL3_5-1B-HF',
    words: 'The same weights in transformers’ own layout.',
    licence: 'Apache 2.0',
    download: 2.12e9,
    seesPhotographs: true,
  },
  {
    repository: 'OpenGVLab/InternVL2-1B',
    words: 'The first of the family at this size, Qwen2.',
    licence: 'MIT',
    download: 1.88e9,
    seesPhotographs: true,
  },
  {
    repository: 'Qwen/Qwen2.5-0.5B-Instruct',
    words: 'The decoder of InternVL2.5.',
    licence: 'Apache 2.0',
    download: 988e6,
    seesPhotographs: false,
  },
  { repository: 'HuggingFaceTB/SmolLM2-360M-Instruct', words: 'A Llama.', licence: 'Apache 2.0', download: 724e6, seesPhotographs: false },
  {
    repository: 'HuggingFaceTB/SmolLM2-135M-Instruct',
    words: 'A Llama: the smallest that talks.',
    licence: 'Apache 2.0',
    download: 269e6,
    seesPhotographs: false,
  },
];

/** What is offered to whoever has a photograph and a model that does not see it. */
export const SMALLEST_THAT_SEES: Preset = PRESETS.filter(({ seesPhotographs }) => seesPhotographs).reduce((least, preset) =>
  preset.download < least.download ? preset : least,
);
