/**
 * Which linears a LoRA adapter stands on where nothing else is said, as ends of module names: every linear of the decoder, and of its
 * cross-attention where there is one. The run file, the plan's proposals and the page's form take it from here.
 */
export const DECODER_TARGETS: readonly string[] = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];
