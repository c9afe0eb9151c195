"""Toy nanoVLMs and what PyTorch makes of them: python nanovlm.py GOLDENS, for GOLDENS/nanovlm (tiles, the whole picture first) and
GOLDENS/nanovlm-whole (one tile before all words, and a token for it or none).

The network is written here after nanoVLM's published structure (huggingface/nanoVLM: models, data/custom_transforms.py, generate.py),
with its tensor names and config keys, in a few lines of our own. Tokenizers are transformers'. torch 2.13, transformers 5.24, peft,
tokenizers; Pillow 12.3, as in tests/fixtures/tiling/make.py; CPU, f32. PICTURES come from GOLDENS/smolvlm.
"""
import hashlib
import json
import math
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from PIL import Image
from safetensors.torch import save_file, save_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import PreTrainedTokenizerFast

from adamw_steps import BATCH, LR, MIN_LR, STEPS, WARMUP, take_steps

torch.set_num_threads(1)
goldens = Path(sys.argv[1])
PICTURES = ["0.png", "1.png", "2.png", "4.png"]
QUESTION = "What colour is the square?"
ANSWERS = ["red", "blue", "green", "one two"]
CHATML = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
EXTRA = {"image_token": "<|image|>", "global_image_token": "<|global_image|>",
         **{f"r{r}c{c}": f"<row_{r}_col_{c}>" for r in range(1, 5) for c in range(1, 5)}}
NETWORK = dict(vit_hidden_dim=32, vit_inter_dim=48, vit_n_heads=2, vit_dropout=0.0, vit_n_blocks=2, vit_ln_eps=1e-6, vit_cls_flag=False,
               lm_hidden_dim=48, lm_inter_dim=80, lm_rms_eps=1e-5, lm_re_base=100000, lm_max_position_embeddings=1024,
               lm_n_heads=3, lm_n_kv_heads=1, lm_dropout=0.0, lm_n_blocks=2, lm_attn_scaling=1.0, lm_tie_weights=True)


# ---------------------------------------------------------------- the network

class Attention(nn.Module):
    """Of the encoder: queries, keys and values in one matrix."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv_proj, self.out_proj = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv_proj(x).chunk(3, -1))
        return self.out_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class EncoderBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, eps = c["vit_hidden_dim"], c["vit_ln_eps"]
        self.ln1, self.attn = nn.LayerNorm(width, eps), Attention(width, c["vit_n_heads"])
        self.ln2, self.mlp = nn.LayerNorm(width, eps), Mlp(width, c["vit_inter_dim"])

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class Patches(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, patch = c["vit_hidden_dim"], c["vit_patch_size"]
        self.conv = nn.Conv2d(3, width, patch, patch)
        self.position_embedding = nn.Parameter(torch.zeros(1, (c["vit_img_size"] // patch) ** 2, width))

    def forward(self, pixels):
        return self.conv(pixels).flatten(2).mT + self.position_embedding


class Encoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.patch_embedding = Patches(c)
        self.blocks = nn.ModuleList(EncoderBlock(c) for _ in range(c["vit_n_blocks"]))
        self.layer_norm = nn.LayerNorm(c["vit_hidden_dim"], c["vit_ln_eps"])

    def forward(self, pixels):
        x = self.patch_embedding(pixels)
        for block in self.blocks:
            x = block(x)
        return self.layer_norm(x)


class Connector(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.factor = c["mp_pixel_shuffle_factor"]
        self.proj = nn.Linear(c["vit_hidden_dim"] * self.factor ** 2, c["lm_hidden_dim"], bias=False)

    def forward(self, x):
        tiles, rows, width = x.shape
        side, f = math.isqrt(rows), self.factor
        squares = x.view(tiles, side // f, f, side // f, f, width).transpose(2, 3)
        return self.proj(squares.reshape(tiles, (side // f) ** 2, f * f * width))


class Norm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.eps, self.weight = eps, nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


def rotated(x, base):
    """x [B, heads, T, dim], halves turned by position · base^(−2i/dim)."""
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[-2]).float()[:, None] * (1.0 / base ** (torch.arange(half).float() / half))
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * angles.cos() - second * angles.sin(), second * angles.cos() + first * angles.sin()], -1)


class GroupedAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, self.heads, self.kv, self.base = c["lm_hidden_dim"], c["lm_n_heads"], c["lm_n_kv_heads"], c["lm_re_base"]
        narrow = width // self.heads * self.kv
        self.q_proj, self.out_proj = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.k_proj, self.v_proj = nn.Linear(width, narrow, bias=False), nn.Linear(width, narrow, bias=False)

    def forward(self, x):
        cut = lambda rows, heads: rows.unflatten(-1, (heads, -1)).transpose(1, 2)
        q, k, v = cut(self.q_proj(x), self.heads), cut(self.k_proj(x), self.kv), cut(self.v_proj(x), self.kv)
        y = F.scaled_dot_product_attention(rotated(q, self.base), rotated(k, self.base), v, is_causal=True, enable_gqa=True)
        return self.out_proj(y.transpose(1, 2).flatten(2))


class Gated(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(width, inner, bias=False), nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class DecoderBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, eps = c["lm_hidden_dim"], c["lm_rms_eps"]
        self.norm1, self.attn = Norm(width, eps), GroupedAttention(c)
        self.norm2, self.mlp = Norm(width, eps), Gated(width, c["lm_inter_dim"])

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Frequencies(nn.Module):
    """Published files have this table, which nobody reads from them."""

    def __init__(self, c):
        super().__init__()
        dim = c["lm_hidden_dim"] // c["lm_n_heads"]
        self.register_buffer("inv_freq", 1.0 / c["lm_re_base"] ** (torch.arange(0, dim, 2).float() / dim))


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        width = c["lm_hidden_dim"]
        self.token_embedding, self.rotary_embd = nn.Embedding(c["lm_vocab_size"], width), Frequencies(c)
        self.blocks = nn.ModuleList(DecoderBlock(c) for _ in range(c["lm_n_blocks"]))
        self.norm, self.head = Norm(width, c["lm_rms_eps"]), nn.Linear(width, c["lm_vocab_size"], bias=False)
        if c["lm_tie_weights"]:
            self.head.weight = self.token_embedding.weight

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class NanoVLM(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.vision_encoder, self.MP, self.decoder = Encoder(c), Connector(c), Decoder(c)

    def features(self, pixels):
        return self.MP(self.vision_encoder(pixels))

    def forward(self, ids, pixels, image_id):
        """ids [T], `image_id` where visual tokens stand; logits [T, V]."""
        visual = ids == image_id
        x = self.decoder.token_embedding(ids.masked_fill(visual, 0))
        if pixels is not None:
            x = x.masked_scatter(visual[:, None], self.features(pixels).flatten(0, 1))
        return self.decoder(x[None])[0]


def random_model(config, seed):
    """Weights that give every part of the network something to say."""
    net, generator = NanoVLM(config), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in net.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if "norm" in name or ".ln" in name:
                p.copy_((1 if name.endswith("weight") else 0) + 0.1 * noise)
            elif p.dim() == 1:
                p.copy_(0.1 * noise)
            else:
                p.copy_(noise * (0.2 if "embedding" in name and "conv" not in name else 1.6 / math.sqrt(p[0].numel())))
    return net.eval()


# ---------------------------------------------------------------- pictures and words

def unit(picture):
    """RGB [3, H, W] f32, 0–1."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float().div(255)


def tiled(picture, side, longest, enlarge):
    """[tiles, 3, side, side], the whole picture first where there are several, and (rows, cols)."""
    width, height = picture.size
    long, short = max(width, height), min(width, height)
    to = longest if enlarge else min(longest, math.ceil(long / side) * side)
    other = max(side, math.ceil(short * (to / long) / side) * side)
    size = (to, other) if width >= height else (other, to)
    canvas = unit(picture.resize(size, Image.BICUBIC))
    rows, cols = size[1] // side, size[0] // side
    tiles = canvas.unflatten(2, (cols, side)).unflatten(1, (rows, side)).permute(1, 3, 0, 2, 4).flatten(0, 1)
    if rows * cols == 1:
        return tiles, (rows, cols)
    # What torchvision's `resize` calls for a float tensor.
    whole = F.interpolate(canvas[None], size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    return torch.cat([whole, tiles]), (rows, cols)


def image_text(grids, tokens):
    text = ""
    for k, (rows, cols) in enumerate(grids):
        numbered = f"<image: {k}>" if len(grids) > 1 else ""
        text += numbered + EXTRA["global_image_token"] + EXTRA["image_token"] * tokens
        if rows * cols > 1:
            text += "".join(EXTRA[f"r{r + 1}c{c + 1}"] + EXTRA["image_token"] * tokens for r in range(rows) for c in range(cols))
    return text


def base_tokenizer():
    """A few hundred tokens in SmolLM2's form: digits alone, bytes, control tokens first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<empty_output>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator([QUESTION, "Question: Answer: user assistant system", *ANSWERS, "left right one two three image"] * 20, trainer)
    return tokenizer


def write_tokenizer(folder, eos):
    base_tokenizer().save(str(folder / "tokenizer.json"))
    config = dict(tokenizer_class="PreTrainedTokenizerFast", bos_token="<|im_start|>", eos_token=eos, pad_token="<|im_end|>", model_max_length=1024)
    write(folder / "tokenizer_config.json", config)


def open_tokenizer(folder, extra, template):
    options = dict(extra_special_tokens=extra) if extra else {}
    return PreTrainedTokenizerFast.from_pretrained(folder, **options, **(dict(chat_template=template) if template else {}))


def write(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def digest(tile):
    """Of the three planes of an 8-bit tile."""
    return hashlib.sha256((tile * 255).round().to(torch.uint8).numpy().tobytes()).hexdigest()[:32]


def read(folder, name):
    return Image.open(folder / name).convert("RGB")


def greedy(net, ids, pixels, image_id, most):
    ids = torch.tensor(ids)
    start = len(ids)
    with torch.no_grad():
        for _ in range(most):
            logits = net(ids, pixels, image_id)[-1]
            logits[image_id:image_id + 1] = -torch.inf
            ids = torch.cat([ids, logits.argmax()[None]])
    return ids[start:].tolist()


def save_forward(folder, record, net, ids, pixels, image_id, with_inputs=True):
    (folder / "forward").mkdir(exist_ok=True)
    ids = torch.tensor(ids, dtype=torch.int32)
    with torch.no_grad():
        outputs = dict(logits=net(ids, pixels, image_id).contiguous(), image_features=net.features(pixels).contiguous())
    if with_inputs:
        save_file(dict(input_ids=ids, pixel_values=pixels.contiguous()), folder / "forward" / f"{record}.inputs.safetensors")
    save_file(outputs, folder / "forward" / f"{record}.outputs.safetensors")


# ---------------------------------------------------------------- the folders

def fresh(name):
    folder = goldens / name
    for old in ("forward", "lora.start", "peft"):
        shutil.rmtree(folder / old, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    return folder


def tiles_first():
    folder = fresh("nanovlm")
    for name in PICTURES:
        shutil.copy(goldens / "smolvlm" / name, folder / name)
    write_tokenizer(folder, "<|im_end|>")
    tokenizer = open_tokenizer(folder, EXTRA, CHATML)
    config = dict(vit_patch_size=8, vit_img_size=64, vit_model_type="google/siglip2-base-patch16-512", **NETWORK,
                  lm_base_vocab_size=300, extra_token_amount=len(EXTRA), lm_vocab_size=len(tokenizer), lm_max_length=512, lm_use_tokens=False,
                  lm_model_type="org/tiny-llama", lm_tokenizer="org/tiny-llama", lm_chat_template=CHATML,
                  mp_pixel_shuffle_factor=4, mp_image_token_length=4, max_img_size=256, resize_to_max_side_len=True, vlm_extra_tokens=EXTRA,
                  vlm_load_backbone_weights=True, vlm_checkpoint_path="checkpoints", hf_repo_name="nanoVLM")
    write(folder / "config.json", config)
    net = random_model(config, 1)
    save_model(net, str(folder / "model.safetensors"))
    image_id, side, tokens = tokenizer.image_token_id, 64, 4

    cut = lambda name, enlarge=True: tiled(read(folder, name), side, 256, enlarge)
    views, digests = {}, dict(enlarged={}, plain={})
    for name in PICTURES:
        for kind, enlarge in (("enlarged", True), ("plain", False)):
            tiles, (rows, cols) = cut(name, enlarge)
            digests[kind][name] = dict(grid=[cols, rows], tiles=[digest(t) for t in tiles[-rows * cols:]])
            if rows * cols > 1 and name in ("0.png", "1.png"):
                views[f"{kind}/{name}"] = tiles[0].contiguous()
    write(folder / "tiles.json", digests)
    save_file(views, folder / "views.safetensors")

    def asked(names, prompt, system=None):
        pixels, grids = zip(*(cut(name) for name in names))
        turns = ([dict(role="system", content=system)] if system else []) + [dict(role="user", content=image_text(grids, tokens) + prompt)]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return text, tokenizer(text, add_special_tokens=False)["input_ids"], torch.cat(pixels)

    chats = []
    for k, (name, system) in enumerate((("0.png", None), ("1.png", "one two three"), ("2.png", None))):
        text, ids, pixels = asked([name], QUESTION, system)
        answer = greedy(net, ids, pixels, image_id, 12)
        chats.append(dict(image=name, system=system, prompt=QUESTION, promptText=text, promptIds=ids, tiles=len(pixels), maxNewTokens=12, ids=answer))
        if k < 2:
            save_forward(folder, k, net, ids, pixels, image_id, with_inputs=k == 1)
    write(folder / "chat.json", chats)
    text, ids, pixels = asked(["1.png", "0.png"], QUESTION)
    write(folder / "two-pictures.json", dict(images=["1.png", "0.png"], prompt=QUESTION, promptText=text, promptIds=ids, ids=greedy(net, ids, pixels, image_id, 12)))

    write(folder / "data.json", [dict(id=str(k), image=name, conversations=[
        {"from": "human", "value": f"<image>\n{QUESTION}"}, {"from": "gpt", "value": answer}]) for k, (name, answer) in enumerate(zip(PICTURES, ANSWERS))])
    adapters_and_traces(folder, config, net, tokenizer, asked, image_id)


def adapters_and_traces(folder, config, net, tokenizer, asked, image_id):
    samples = []
    for name, answer in zip(PICTURES, ANSWERS):
        _, prompt, pixels = asked([name], QUESTION)
        said = tokenizer(answer, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        samples.append((torch.tensor(prompt + said), torch.tensor([-100] * len(prompt) + said), pixels))
    copy = lambda: random_model(config, 1)
    optimizer = dict(lr=LR, min_lr=MIN_LR, warmup=WARMUP, betas=[0.9, 0.95], eps=1e-8, weight_decay=0.1, clip=1.0)
    run = dict(model="../nanovlm", data="../nanovlm/data.json", batch=BATCH, steps=STEPS, shuffle=False, seed=0, optimizer=optimizer)

    trained = copy().train()
    trained.vision_encoder.requires_grad_(False)
    take_steps(trained, samples, lambda ids, pixels: trained(ids, pixels, image_id), folder / "sft.log.jsonl")
    write(folder / "sft.run.json", dict(run, stage="sft"))

    targets = ["q_proj", "v_proj", "down_proj"]
    lora = get_peft_model(copy(), LoraConfig(r=4, lora_alpha=8, target_modules=targets)).train()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, p in lora.named_parameters():
            if "lora_" in name:
                p.copy_(torch.randn(p.shape, generator=generator) * 0.02)
    lora.save_pretrained(folder / "lora.start")
    take_steps(lora, samples, lambda ids, pixels: lora(ids, pixels, image_id), folder / "lora.log.jsonl")
    write(folder / "lora.run.json", dict(run, stage="sft", lora=dict(rank=4, alpha=8, init="lora.start", targets=targets)))

    torch.manual_seed(7)
    everywhere = r".*\.(q_proj|k_proj|v_proj|out_proj|gate_proj|up_proj|down_proj|qkv_proj|fc1|fc2)|MP\.proj"
    adapted = get_peft_model(copy(), LoraConfig(r=2, lora_alpha=4, target_modules=everywhere, init_lora_weights=False)).eval()
    adapted.save_pretrained(folder / "peft")
    for made in ("lora.start", "peft"):
        (folder / made / "README.md").unlink(missing_ok=True)
    _, ids, pixels = asked(["1.png"], QUESTION, "one two three")
    with torch.no_grad():
        logits = adapted(torch.tensor(ids), pixels, image_id)
    save_file(dict(logits=logits[-8:].contiguous()), folder / "peft" / "last-logits.safetensors")


def one_tile():
    """As the first release asked (no token for pictures), and as the second did, with a token and with a template or none."""
    folder = fresh("nanovlm-whole")
    write_tokenizer(folder, "<|endoftext|>")
    side, tokens, vocabulary = 48, 9, 300
    config = dict(vit_patch_size=8, vit_img_size=side, vit_model_type="google/siglip-base-patch16-224", **NETWORK, lm_vocab_size=vocabulary,
                  IMAGE_TOKEN_LENGTH=tokens, TOTAL_SEQUENCE_LENGTH=128, lm_max_length=119, lm_use_tokens=False, lm_model_type="org/tiny-llama",
                  lm_tokenizer="org/tiny-tokenizer", lm_eos_token_id=0, mp_pixel_shuffle_factor=2,
                  vlm_load_backbone_weights=True, vlm_checkpoint_path="checkpoints", hf_repo_name="nanoVLM")
    write(folder / "config.json", config)
    net = random_model(config, 2)
    save_model(net, str(folder / "model.safetensors"))
    tokenizer = open_tokenizer(folder, None, None)
    chats = []
    for k, name in enumerate(PICTURES[:2]):
        pixels = unit(read(goldens / "smolvlm", name).resize((side, side), Image.BILINEAR))[None]
        words = tokenizer(f"Question: {QUESTION} Answer:", add_special_tokens=False)["input_ids"]
        ids = [vocabulary] * tokens + words
        chats.append(dict(image=name, prompt=QUESTION, promptIds=ids, tile=digest(pixels[0]), maxNewTokens=12, ids=greedy(net, ids, pixels, vocabulary, 12)))
        if k == 0:
            save_forward(folder, k, net, ids, pixels, vocabulary)
    write(folder / "chat.json", chats)
    image = dict(image_token="<|image|>")
    later = []
    for template in (None, CHATML):
        tokenizer = open_tokenizer(folder, image, template)
        block = tokenizer.image_token * tokens
        text = tokenizer.apply_chat_template([dict(role="user", content=block + QUESTION)], tokenize=False, add_generation_prompt=True) if template else f"{block}Question: {QUESTION} Answer:"
        keys = dict(vlm_extra_tokens=image, lm_vocab_size=len(tokenizer), mp_image_token_length=tokens, **(dict(lm_chat_template=template) if template else {}))
        later.append(dict(config=keys, promptText=text, promptIds=tokenizer(text, add_special_tokens=False)["input_ids"]))
    write(folder / "prompts.json", later)


if __name__ == "__main__":
    tiles_first()
    one_tile()
    for file in goldens.glob("nanovlm*/**/*.safetensors"):
        file.chmod(0o644)
