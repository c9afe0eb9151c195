"""Thirty training steps of a golden text model under PyTorch's own Muon and AdamW, as this project's Muon runs are held to.

Run in tests/fixtures/goldens with torch 2.13 and transformers 5.24: `python ../../references/muon.py`. It writes
text/qwen2/muon.log.jsonl (loss and gradient norm of every step) and muon.final.safetensors (a few tensors after the last).

torch.optim.Muon orthogonalises in bfloat16, whose rounding depends on the device; here the same lines run in 32-bit floats.
The last line that is printed says how far the unchanged bfloat16 is from that.
"""

import inspect
import json
import math

import torch
from safetensors.torch import load_file, save_file
from torch.optim import _muon
from transformers import AutoModelForCausalLM

torch.set_num_threads(1)
FOLDER = "text/qwen2"
STEPS, WARMUP, BATCH = 30, 5, 2
MUON = {"lr": 0.02, "momentum": 0.95, "weight_decay": 0.1}
ADAMW = {"lr": 0.002, "betas": (0.9, 0.95), "eps": 1e-8}
MIN_SHARE = 0.1  # min_lr / lr
CLIP = 1.0
KEPT = ["model.embed_tokens.weight", "model.layers.0.self_attn.k_proj.weight", "model.layers.1.mlp.down_proj.weight",
        "model.layers.2.mlp.up_proj.weight", "model.layers.2.self_attn.q_proj.bias", "model.norm.weight"]

bfloat16 = _muon._zeropower_via_newtonschulz
source = inspect.getsource(bfloat16).replace("grad.bfloat16()", "grad.clone()")  # div_ works in place
scope = dict(vars(_muon))
exec(source, scope)
float32 = scope["_zeropower_via_newtonschulz"]


def share(step):
    """Of the learning rate: linear warm-up, then a cosine down to MIN_SHARE after the last step."""
    if step < WARMUP:
        return (step + 1) / WARMUP
    done = (step - WARMUP) / (STEPS - WARMUP)
    return MIN_SHARE + (1 - MIN_SHARE) * 0.5 * (1 + math.cos(math.pi * done))


def run(orthogonalise):
    _muon._zeropower_via_newtonschulz = orthogonalise
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).train()
    ids = load_file(f"{FOLDER}/forward/0.inputs.safetensors")["input_ids"].long()
    matrices = [p for name, p in model.named_parameters() if ".layers." in name and p.ndim == 2]
    tables = [p for name, p in model.named_parameters() if ".layers." not in name and p.ndim == 2]
    vectors = [p for p in model.parameters() if p.ndim != 2]
    muon = torch.optim.Muon([{"params": matrices}], **MUON)
    adamw = torch.optim.AdamW([{"params": tables, "weight_decay": MUON["weight_decay"]}, {"params": vectors, "weight_decay": 0.0}], **ADAMW)
    log = []
    for step in range(STEPS):
        # Two windows of 24 tokens that wander over the sequence; the first 8 of each are not learnt.
        starts = [(7 * (step * BATCH + b)) % (len(ids) - 24) for b in range(BATCH)]
        batch = torch.stack([ids[start : start + 24] for start in starts])
        labels = batch.clone()
        labels[:, :8] = -100
        loss = model(input_ids=batch, labels=labels).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        for optimizer, settings in ((muon, MUON), (adamw, ADAMW)):
            for group in optimizer.param_groups:
                group["lr"] = settings["lr"] * share(step)
            optimizer.step()
            optimizer.zero_grad()
        log.append({"step": step, "loss": loss.item(), "gradNorm": norm.item()})
    return model, log


model, log = run(float32)
with open(f"{FOLDER}/muon.log.jsonl", "w") as file:
    file.writelines(json.dumps(line) + "\n" for line in log)
state = model.state_dict()
save_file({name: state[name].contiguous() for name in KEPT}, f"{FOLDER}/muon.final.safetensors")
_, rough = run(bfloat16)
print("first and last loss", log[0]["loss"], log[-1]["loss"])
print("bfloat16 is off by at most", max(abs(a["loss"] - b["loss"]) / b["loss"] for a, b in zip(rough, log)))
