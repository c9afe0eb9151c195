import { readFile } from 'node:fs/promises';
import { writeSafetensors } from '../../src/weights/safetensors.ts';

/** A PEFT adapter of nano-d's first feed-forward layer that turns its answers into others. */
export async function adapterFiles(): Promise<{ name: string; mimeType: string; buffer: Buffer }[]> {
  const config = JSON.parse(await readFile('public/models/nano-d/config.json', 'utf8')) as {
    llm_config: { hidden_size: number; intermediate_size: number };
  };
  const { hidden_size: width, intermediate_size: inner } = config.llm_config;
  const numbers = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(7 * i));
  const name = 'base_model.model.language_model.model.layers.0.mlp.down_proj';
  const weights = writeSafetensors([
    { name: `${name}.lora_A.weight`, dtype: 'F32', shape: [2, inner], data: numbers(2 * inner) },
    { name: `${name}.lora_B.weight`, dtype: 'F32', shape: [width, 2], data: numbers(2 * width) },
  ]);
  const json = { peft_type: 'LORA', r: 2, lora_alpha: 2, base_model_name_or_path: 'nano-d' };
  return [
    { name: 'adapter_config.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(json)) },
    { name: 'adapter_model.safetensors', mimeType: 'application/octet-stream', buffer: Buffer.from(weights) },
  ];
}
