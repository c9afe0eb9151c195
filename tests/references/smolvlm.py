"""What transformers and PEFT make of the toy SmolVLM of tests/fixtures/goldens/smolvlm: python smolvlm.py FOLDER.

Writes two-pictures.json (greedy ids with two pictures) and, for 30 steps on the six pictures, {lora,sft}.log.jsonl (loss, learning rate,
gradient norm) with lora.start/ (the adapter before), and peft/: an adapter on every linear, vision encoder and connector too, with the
logits of forward/1 that it gives. torch 2.13, transformers, peft, Pillow; CPU, f32.
"""
import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, Idefics3ForConditionalGeneration, Idefics3Processor

from adamw_steps import take_steps

try:  # the processor on Pillow, where transformers has two
    from transformers import Idefics3ImageProcessorPil as ImageProcessor
except ImportError:
    from transformers import Idefics3ImageProcessor as ImageProcessor

torch.set_num_threads(1)
torch.manual_seed(0)
folder = Path(sys.argv[1])
processor = Idefics3Processor(image_processor=ImageProcessor.from_pretrained(folder), tokenizer=AutoTokenizer.from_pretrained(folder),
                              image_seq_len=4, chat_template=(folder / "chat_template.jinja").read_text())
tokenizer = processor.tokenizer
END = tokenizer.convert_tokens_to_ids("<end_of_utterance>")
QUESTION = "What colour is the square?"
ANSWERS = ["red", "blue", "green", "one two", "left", "right"]


def batch_of(images, messages, generate):
    pictures = [Image.open(folder / name).convert("RGB") for name in images]
    return processor(text=processor.apply_chat_template(messages, add_generation_prompt=generate), images=pictures, return_tensors="pt")


def model():
    return Idefics3ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)


def question(count):
    return dict(role="user", content=[dict(type="image")] * count + [dict(type="text", text=QUESTION)])


def two_pictures():
    images = ["0.png", "1.png"]
    batch = batch_of(images, [question(2)], True)
    with torch.no_grad():
        ids = model().eval().generate(**batch, max_new_tokens=16, do_sample=False)[0, batch["input_ids"].shape[1]:]
    (folder / "two-pictures.json").write_text(json.dumps(dict(images=images, prompt=QUESTION, promptTokens=batch["input_ids"].shape[1], ids=ids.tolist()), indent=1) + "\n")


def samples():
    """The labels are the answer's tokens, made by themselves, and the token that ends it."""
    made = []
    for k, answer in enumerate(ANSWERS):
        asked = batch_of([f"{k}.png"], [question(1)], True)
        said = tokenizer(" " + answer, add_special_tokens=False)["input_ids"]
        prompt = asked["input_ids"][0].tolist()
        ids = prompt + said + [END]
        labels = [-100] * len(prompt) + said + [END]
        made.append((torch.tensor([ids]), torch.tensor(labels), asked["pixel_values"]))
    return made


def sft():
    net = model().train()
    for parameter_name, parameter in net.named_parameters():
        parameter.requires_grad_(not parameter_name.startswith("model.vision_model."))
    take_steps(net, samples(), lambda ids, pixels: net(input_ids=ids, pixel_values=pixels).logits[0], folder / "sft.log.jsonl")


def lora():
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj", "v_proj"], exclude_modules=r"model\.vision_model\..*", lora_dropout=0.0)
    net = get_peft_model(model(), config).train()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter_name, parameter in net.named_parameters():
            if "lora_" in parameter_name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
    net.save_pretrained(folder / "lora.start")
    (folder / "lora.start" / "README.md").unlink(missing_ok=True)
    take_steps(net, samples(), lambda ids, pixels: net(input_ids=ids, pixel_values=pixels).logits[0], folder / "lora.log.jsonl")


def everywhere():
    torch.manual_seed(7)
    net = get_peft_model(model(), LoraConfig(r=2, lora_alpha=4, target_modules="all-linear", init_lora_weights=False)).eval()
    net.save_pretrained(folder / "peft")
    (folder / "peft" / "README.md").unlink(missing_ok=True)
    inputs = load_file(folder / "forward" / "1.inputs.safetensors")
    with torch.no_grad():
        logits = net(input_ids=inputs["input_ids"][None].long(), pixel_values=inputs["pixel_values"][None]).logits[0]
    save_file({"logits": logits[-8:].contiguous()}, folder / "peft" / "last-logits.safetensors")


if __name__ == "__main__":
    two_pictures()
    everywhere()
    sft()
    lora()
