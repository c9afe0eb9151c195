"""What PyTorch computes for each custom op: results, and gradients by its own autograd, in double precision.

    python tests/references/ops.py     (torch, numpy and safetensors) writes tests/fixtures/ops/torch.safetensors

Tensors are named `case/what`: the inputs by the names of the op, `y` the result, `dy` the weights of the sum that is differentiated,
`grad.what` the gradients. tests/goldens/ops.test.ts holds every backend to them. Nothing here is taken from the code under test.
"""
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

torch.manual_seed(20)
tensors: dict[str, np.ndarray] = {}


def numbers(*shape: int, scale: float = 1.0) -> torch.Tensor:
    """Doubles that are exact in single precision."""
    return (torch.randn(*shape) * scale).float().double()


def put(case: str, **values: torch.Tensor) -> None:
    for name, value in values.items():
        value = value.detach()
        integer = value.dtype in (torch.int32, torch.int64)
        tensors[f"{case}/{name}"] = value.numpy().astype(np.int32 if integer else np.float32)


def record(case: str, compute, trained: dict[str, torch.Tensor], **others: torch.Tensor) -> None:
    """Result and gradients of compute(**trained)."""
    leaves = {name: value.clone().requires_grad_() for name, value in trained.items()}
    y = compute(**leaves)
    dy = numbers(*y.shape)
    (y * dy).sum().backward()
    put(case, y=y, dy=dy, **trained, **others, **{f"grad.{name}": leaf.grad for name, leaf in leaves.items()})


# linear: y = x · W + b; the f32 weight lies [in, out], the others as a checkpoint has them, [out, in].
for rows in (3, 21):
    x, bias = numbers(rows, 33), numbers(7)
    record(f"linear-f32-{rows}", lambda x, weight, bias: x @ weight + bias, {"x": x, "weight": numbers(33, 7), "bias": bias})
    x, half = numbers(rows, 34), numbers(7, 34).half()
    record(
        f"linear-f16-{rows}",
        lambda x, bias: F.linear(x, half.double(), bias),
        {"x": x, "bias": bias},
        weight=half.view(torch.int32),
    )


def affine(bits: int, rows: int, columns: int, group: int):
    """MLX's layout by numpy: whole numbers in 32-bit words, the first in the lowest bits, a scale and a bias a group."""
    q = torch.randint(0, 2**bits, (rows, columns))
    scales, biases = numbers(rows, columns // group, scale=0.1), numbers(rows, columns // group)
    values = q * scales.repeat_interleave(group, 1) + biases.repeat_interleave(group, 1)
    shifts = np.arange(0, 32, bits, dtype=np.uint32)
    words = (q.numpy().astype(np.uint32).reshape(rows, -1, 32 // bits) << shifts).sum(-1).astype(np.uint32)
    return values, {"weight": torch.from_numpy(words.view(np.int32)), "scales": scales, "biases": biases}


for bits in (4, 8):
    for rows in (3, 21):
        values, layout = affine(bits, 8, 64, 32)
        record(
            f"linear-affine{bits}-{rows}",
            lambda x, bias: F.linear(x, values, bias),
            {"x": numbers(rows, 64), "bias": numbers(8)},
            **layout,
        )

# Norms, with an epsilon that is seen.
norm = {"x": numbers(4, 37, scale=0.2), "weight": numbers(37)}
record("rmsNorm", lambda x, weight: F.rms_norm(x, (37,), weight, 0.05), norm)
record("layerNorm", lambda x, weight, bias: F.layer_norm(x, (37,), weight, bias, 0.05), {**norm, "bias": numbers(37)})

record("gelu", lambda x: F.gelu(x), {"x": numbers(3, 19, scale=2)})
record("swiglu", lambda gate, up: F.silu(gate) * up, {"gate": numbers(3, 19, scale=3), "up": numbers(3, 19)})

# Rotary positions as Hugging Face applies them: pairs (i, i + dim / 2) of each head.
positions = torch.tensor([0, 1, 5, 1000])
frequencies = (10000.0 ** (-torch.arange(0, 8, 2) / 8)).float().double()


def rotate(x: torch.Tensor) -> torch.Tensor:
    heads = x.view(4, 3, 8)
    angles = torch.cat([positions[:, None] * frequencies] * 2, -1)[:, None]
    half = torch.cat([-heads[..., 4:], heads[..., :4]], -1)
    return (heads * angles.cos() + half * angles.sin()).reshape(4, 24)


record("rope", rotate, {"x": numbers(4, 24)}, positions=positions, frequencies=frequencies)


def attend(q, k, v, visible, heads, kv_heads):
    """q [B·T, H·D] over k, v [B, S, Hkv·D]; visible [B, T, S]. Rows that see nothing give zeros."""
    batch, keys, width = k.shape
    dim = width // kv_heads
    query = q.view(batch, -1, heads, dim).transpose(1, 2)
    key, value = (x.view(batch, keys, kv_heads, dim).transpose(1, 2).repeat_interleave(heads // kv_heads, 1) for x in (k, v))
    some = visible.any(-1, keepdim=True)
    mask = (visible | ~some)[:, None]
    y = F.scaled_dot_product_attention(query, key, value, attn_mask=mask) * some[:, None]
    return y.transpose(1, 2).reshape(q.shape)


for rows in (2, 19):
    batch, keys, heads, kv_heads, dim = 2, 23, 4, 2, 6
    starts = torch.tensor([1, 4])
    key_mask = (torch.rand(batch, keys) < 0.8).int()
    key_mask[0, :2] = 0  # so that the first row sees nothing
    places, rows_at = torch.arange(keys), torch.arange(rows)
    visible = (places <= (starts[:, None] + rows_at)[..., None]) & (key_mask[:, None] == 1)
    trained = {"q": numbers(batch * rows, heads * dim), "k": numbers(batch, keys, kv_heads * dim), "v": numbers(batch, keys, kv_heads * dim)}
    record(
        f"attention-{rows}",
        lambda q, k, v: attend(q, k, v, visible, heads, kv_heads),
        trained,
        starts=starts,
        keyMask=key_mask,
    )
    row_tiles = (torch.rand(batch * rows, 3) < 0.6).int()
    row_tiles[0] = 0  # a row before the image
    key_tiles = torch.randint(-1, 3, (batch, keys))
    sees = torch.gather(row_tiles.view(batch, rows, 3), 2, key_tiles.clamp(min=0).long()[:, None].expand(-1, rows, -1)) == 1
    tile_visible = sees & (key_tiles >= 0)[:, None]
    record(
        f"crossAttention-{rows}",
        lambda q, k, v: attend(q, k, v, tile_visible, heads, kv_heads),
        trained,
        rowTiles=row_tiles,
        keyTiles=key_tiles,
    )

# Embedding with visual tokens in some places.
ids, slots = torch.tensor([4, 0, 4, 2, 1, 4]), torch.tensor([-1, 1, -1, 0, -1, 1])
record(
    "embed",
    lambda table, visual: torch.where((slots >= 0)[:, None], visual[slots.clamp(min=0)], F.embedding(ids, table)),
    {"table": numbers(5, 9), "visual": numbers(2, 9)},
    ids=ids,
    slots=slots,
)

labels = torch.tensor([3, -100, 0, 12, -100])
record(
    "crossEntropy",
    lambda logits: F.cross_entropy(logits, labels, ignore_index=-100, reduction="none"),
    {"logits": numbers(5, 13, scale=4)},
    labels=labels,
)

# Three steps of AdamW.
value = torch.nn.Parameter(numbers(5, 7))
optimizer = torch.optim.AdamW([value], lr=0.01, betas=(0.9, 0.95), eps=1e-3, weight_decay=0.1)
put("adamW", start=value)
for step in range(3):
    value.grad = numbers(5, 7)
    put("adamW", **{f"gradient.{step}": value.grad})
    optimizer.step()
    put("adamW", **{f"value.{step}": value})

folder = Path(__file__).parent.parent / "fixtures" / "ops"
folder.mkdir(parents=True, exist_ok=True)
save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, folder / "torch.safetensors")
print(len(tensors), "tensors")
