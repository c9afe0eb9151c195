import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Tokenizer } from '../../text/types.ts';
import type { JsonObject } from '../../weights/strict-json.ts';
import { stopIdsOf } from './special-tokens.ts';

const IDS = new Map([
  ['</s>', 2],
  ['<|im_end|>', 7],
  ['[END]', 9],
]);
const tokenizer = { idOf: (token) => IDS.get(token) } as Tokenizer;
/** llava-v1.5's: `eos_token` is a serialised AddedToken. */
const addedToken = JSON.parse(
  readFileSync(new URL('../../../tests/fixtures/cases/eos-addedtoken.tokenizer_config.json', import.meta.url), 'utf8'),
) as JsonObject;

it.each<[string, JsonObject, JsonObject | null, JsonObject | null, number[]]>([
  ['an AddedToken', {}, null, addedToken, [7, 2]],
  ['a string', {}, null, { eos_token: '[END]' }, [7, 9]],
  ['the generation config, one', {}, { eos_token_id: 5 }, null, [5, 7]],
  ['the generation config, several', {}, { eos_token_id: [5, 6] }, null, [5, 6, 7]],
  ['config.json', { eos_token_id: 11 }, null, null, [11, 7]],
  ['its text model', { text_config: { eos_token_id: [11, 12] } }, null, null, [11, 12, 7]],
  ['its language model (InternVL)', { llm_config: { eos_token_id: 11 } }, { eos_token_id: 5 }, null, [5, 11, 7]],
  ['nothing, or nonsense', { eos_token_id: 'x', text_config: 3 }, { eos_token_id: [null, 0.5] }, { eos_token: 4 }, [7]],
])('answers stop where %s says', (_, config, generationConfig, tokenizerConfig, expected) => {
  expect([...stopIdsOf({ config, generationConfig, tokenizerConfig }, tokenizer)]).toEqual(expected);
});

it('a folder without a tokenizer still has the ids that its files name', () => {
  expect([...stopIdsOf({ config: { eos_token_id: 3 }, generationConfig: null, tokenizerConfig: null }, null)]).toEqual([3]);
});
