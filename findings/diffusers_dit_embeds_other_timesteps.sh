#!/usr/bin/env bash
# diffusers 0.42.1 (with torch 2.13.0), seen on Python 3.11, 2026-11-27: the DiT of diffusers is not the network of the original
# DiT code, for the same weights.
#
# Expected: DiTTransformer2DModel, into which the published DiT-XL/2 weights were converted (facebook/DiT-XL-2-256), computes what
# facebookresearch/DiT's models.py computes: timesteps embedded at the frequencies 10000^(-k/128), k = 0..127, and layer norms with
# epsilon 1e-6.
# Seen: the frequencies are 10000^(-k/127), so that all but the first differ and the embedding of a timestep, whose values lie in
# [-1, 1], moves by up to 1.94; and the norm before the MLP has epsilon 1e-5.
# So a study that loads the pipeline and one that loads DiT-XL-2-256x256.pt, as the papers of dataset distillation do, sample from
# different networks. Here a `.pt` of the original code is computed as the original computes it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.1 diffusers==0.42.1
"$work/venv/bin/python" - <<'PYTHON'
import math

import torch
from diffusers import DiTTransformer2DModel, __version__

torch.manual_seed(0)
model = DiTTransformer2DModel(num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=1,
                              sample_size=8, patch_size=2, num_embeds_ada_norm=1000)
block = model.transformer_blocks[0]
steps = torch.tensor([1.0, 250.0, 999.0])
embedded = block.norm1.emb.time_proj(steps)


def formula(divisor):
    frequency = torch.exp(-math.log(10000) * torch.arange(128) / divisor)
    angle = steps[:, None] * frequency
    return torch.cat([angle.cos(), angle.sin()], 1)


as_seen, as_original = ((embedded - formula(divisor)).abs().max().item() for divisor in (127, 128))
print(f"diffusers {__version__}: distance to exponents k/127 {as_seen:.1e}, to the original's k/128 {as_original:.2f}; "
      f"epsilon of the second norm {block.norm3.eps:g}")
assert as_seen < 1e-3 and as_original > 0.5 and block.norm3.eps == 1e-5, "the behaviour has changed"
PYTHON
