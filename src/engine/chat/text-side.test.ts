import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { goldenFolder } from '../../../tests/goldens/golden-files.ts';
import { blobFiles } from '../../weights/blob-files.ts';
import type { ModelDescription } from '../../weights/model-folder.ts';
import type { JsonObject } from '../../weights/strict-json.ts';
import { openTextSide, planConversation } from './text-side.ts';

const json = async (path: string) => JSON.parse(await readFile(path, 'utf8')) as JsonObject;

it('opens a conversation with InternVL as its own code does, whatever template its tokenizer has', async () => {
  const description: ModelDescription = {
    files: blobFiles([], 'internvl'),
    config: await json(`${goldenFolder('internvl')}/config.json`),
    generationConfig: null,
    imageProcessor: null,
    tokenizer: await json('tests/fixtures/text/golden/tokenizer.json'),
    tokenizerConfig: { ...(await json('tests/fixtures/text/golden/tokenizer_config.json')), chat_template: 'nothing' },
  };
  const opening = (config: JsonObject) => {
    const text = openTextSide({ ...description, config });
    const { inputIds } = planConversation(text, [{ role: 'user', content: 'Hi' }], [], true);
    return text.tokenizer.decode([...inputIds]);
  };
  expect(opening(description.config)).toMatch(
    /^<\|im_start\|>system\n你是书生·万象[^]*<\|im_end\|>\n<\|im_start\|>user\nHi<\|im_end\|>\n<\|im_start\|>assistant\n$/,
  );
  expect(opening({ ...description.config, system_message: 'Be brief.' })).toMatch(/^<\|im_start\|>system\nBe brief\.<\|im_end\|>\n/);
});
