"""Training steps of PyTorch that a run file is held to: AdamW, warm-up and cosine, the sum of the losses over the labels of a batch."""
import json
import math

import torch
import torch.nn.functional as F

STEPS, BATCH, LR, WARMUP, MIN_LR = 30, 2, 1e-3, 3, 1e-5


def learning_rate(step):
    if step < WARMUP:
        return LR * (step + 1) / WARMUP
    return MIN_LR + (LR - MIN_LR) * 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP)))


def take_steps(net, samples, logits_of, path):
    """Trains what of `net` wants it on samples (ids, labels, pixels), with logits [T, V] of `logits_of(ids, pixels)`; a line a step in `path`."""
    trained = [p for p in net.parameters() if p.requires_grad]
    groups = [dict(params=[p for p in trained if p.dim() >= 2], weight_decay=0.1), dict(params=[p for p in trained if p.dim() < 2], weight_decay=0.0)]
    optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=LR, betas=(0.9, 0.95), eps=1e-8)
    lines = []
    for step in range(STEPS):
        losses, count = [], 0
        for b in range(BATCH):
            ids, labels, pixels = samples[(step * BATCH + b) % len(samples)]
            losses.append(F.cross_entropy(logits_of(ids, pixels)[:-1], labels[1:], ignore_index=-100, reduction="sum"))
            count += int((labels[1:] != -100).sum())
        loss = sum(losses) / count
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.step()
        lines.append(json.dumps(dict(step=step, loss=loss.item(), lr=learning_rate(step), gradNorm=norm.item())))
    path.write_text("\n".join(lines) + "\n")
    print(path.name, lines[0], lines[-1])
