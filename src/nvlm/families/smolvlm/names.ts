import { tableNaming, type Naming } from '../../naming.ts';

const table = tableNaming(
  [
    ['vision_model.', 'model.vision_model.'],
    ['connector.proj', 'model.connector.modality_projection.proj'],
    ['language_model.model.', 'model.text_model.'],
    ['language_model.lm_head', 'lm_head'],
  ],
  {
    id: 'idefics3',
    marks: (name) => name.startsWith('model.text_model.'),
    visionModules: /model\.vision_model\..*/,
    // Either class reads either checkpoint; this one is transformers' own name for the layout.
    autoMapping: { base_model_class: 'Idefics3ForConditionalGeneration', parent_library: 'transformers.models.idefics3.modeling_idefics3' },
  },
);

/** Ends of the vision encoder's modules that the decoder has too. */
const SHARED_ENDS = /^(self_attn\.)?(q_proj|k_proj|v_proj)$/;

/** The names of `Idefics3ForConditionalGeneration` and `SmolVLMForConditionalGeneration`, in files and in transformers alike. */
export const smolvlmNaming: Naming = { ...table, vision: { ...table.vision!, hasModule: (end) => SHARED_ENDS.test(end) } };
