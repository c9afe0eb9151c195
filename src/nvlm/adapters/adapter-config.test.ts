import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readAdapterConfig } from './adapter-config.ts';

/** As PEFT 0.21 writes it for an ordinary adapter: r 8, alpha 16, every projection of the decoder. */
const plain = JSON.parse(
  readFileSync(new URL('../../../tests/fixtures/cases/adapters/plain/adapter_config.json', import.meta.url), 'utf8'),
) as Record<string, unknown>;
const Q = 'model.layers.1.self_attn.q_proj';
const read = (changes: object) => () => readAdapterConfig({ ...plain, ...changes });
const scale = (changes: object, module = Q, rank = 8) => readAdapterConfig({ ...plain, ...changes }).scaleOf(module, rank);

describe('adapter_config.json', () => {
  it('of plain LoRA gives each module its scale', () => {
    expect(scale({})).toBe(2);
    expect(scale({ use_rslora: true })).toBe(16 / Math.sqrt(8));
    expect(scale({ alpha_pattern: { q_proj: 4 } })).toBe(0.5);
    expect(scale({ rank_pattern: { 'self_attn.q_proj': 4 } }, Q, 4)).toBe(4);
    expect(scale({ r: undefined, target_modules: undefined }, Q, 3)).toBe(16 / 3);
  });

  it.each([
    [{ init_lora_weights: 'pissa' }, 'init_lora_weights is "pissa", which changes the model'],
    [{ init_lora_weights: 'pissa_niter_16' }, '"pissa_niter_16"'],
    [{ init_lora_weights: 'olora' }, '"olora"'],
    [{ init_lora_weights: 'corda' }, '"corda"'],
    [{ init_lora_weights: 'loftq', loftq_config: { loftq_bits: 4 } }, '"loftq"'],
    [{ init_lora_weights: 'lora_ga', lora_ga_config: { direction: 'ArB2r' } }, '"lora_ga"'],
    [{ init_lora_weights: 'of_next_year' }, '"of_next_year"'],
    [{ alora_invocation_tokens: [17, 33] }, 'it sets alora_invocation_tokens'],
    [{ use_dora: true }, 'it sets use_dora'],
    [{ use_bdlora: { nblocks: 2 } }, 'it sets use_bdlora'],
    [{ kasa_config: { beta: 1 } }, 'it sets kasa_config'],
    [{ lora_bias: true }, 'it sets lora_bias'],
    [{ layer_replication: [[0, 1]] }, 'it sets layer_replication'],
    [{ trainable_token_indices: [5] }, 'it sets trainable_token_indices'],
    [{ modules_to_save: ['lm_head'] }, 'it sets modules_to_save'],
    [{ target_parameters: ['experts.w'] }, 'it sets target_parameters'],
    [{ bias: 'lora_only' }, 'bias is "lora_only"'],
    [{ some_new_trick: 0.5 }, 'it sets some_new_trick'],
    [{ constructor: 1 }, 'it sets constructor'],
    [{ peft_type: 'IA3' }, 'its type is IA3'],
  ])('refuses %j by name', (changes, why) => {
    expect(read(changes)).toThrow(expect.objectContaining({ code: 'unsupported-model', message: expect.stringContaining(why) }));
  });

  it.each([
    { init_lora_weights: 'gaussian' },
    { init_lora_weights: 'eva', eva_config: { rho: 2 } },
    { init_lora_weights: 'orthogonal' },
    { init_lora_weights: false },
    // PEFT ignores it with any other initialisation.
    { loftq_config: { loftq_bits: 4 } },
    { some_new_trick: null, another: false, third: [], fourth: {} },
    { target_modules: '.*' },
    { layers_to_transform: [1] },
    { layers_to_transform: 1 },
  ])('takes %j for plain LoRA', (changes) => {
    expect(scale(changes)).toBe(2);
  });

  it.each([
    [{ layers_to_transform: [0] }, 8, 'leaves out'],
    [{ target_modules: ['k_proj'] }, 8, 'leaves out'],
    [{ exclude_modules: ['q_proj'] }, 8, 'leaves out'],
    [{}, 4, 'has rank 4 where its configuration says 8'],
    [{ rank_pattern: { q_proj: 4 } }, 8, 'has rank 8 where its configuration says 4'],
  ])('refuses matrices that PEFT would not read with %j', (changes, rank, why) => {
    expect(() => scale(changes, Q, rank)).toThrow(expect.objectContaining({ code: 'bad-model', message: expect.stringContaining(why) }));
  });

  it('runs no regular expression of a stranger', () => {
    expect(read({ alpha_pattern: { '(a+)+$': 1 } })).toThrow('alpha_pattern');
    expect(read({ rank_pattern: { '(a+)+$': 1 } })).toThrow('rank_pattern');
  });
});
