"""Makes tests/golden/flux/*: small random FLUX.1 transformers with inputs and outputs computed by diffusers in float64.

Run: python3 tests/golden/make_flux.py   (needs torch, diffusers, safetensors; the files were made with diffusers 0.42, torch 2.11)
"""
import os

import torch
from diffusers import FluxTransformer2DModel
from safetensors.torch import save_file

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "flux")
BASE = dict(patch_size=1, in_channels=8, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=12, pooled_projection_dim=10, guidance_embeds=False,
            axes_dims_rope=(4, 6, 6))
CASES = {
    "plain": {},
    "guidance": dict(guidance_embeds=True, axes_dims_rope=(8, 4, 4)),
    "three_double": dict(num_layers=3, num_single_layers=2, axes_dims_rope=(2, 6, 8)),
    "four_heads": dict(num_attention_heads=4, attention_head_dim=8, axes_dims_rope=(2, 2, 4), in_channels=6,
                       out_channels=4, guidance_embeds=True),
}


def make(name, overrides, seed):
    torch.manual_seed(seed)
    model = FluxTransformer2DModel(**{**BASE, **overrides})
    with torch.no_grad():
        for p in model.parameters():  # biases and norm weights too: zeros and ones would hide mistakes
            p.copy_(torch.randn_like(p) * (0.3 if p.dim() == 1 else 1.2 / p.shape[-1] ** 0.5) + (0.5 if p.dim() == 1 else 0))
    folder = os.path.join(ROOT, name)
    model.save_pretrained(folder)
    batch, height, width, text = 2, 3, 5, 4
    ids = torch.zeros(height, width, 3)
    ids[..., 1] += torch.arange(height)[:, None]
    ids[..., 2] += torch.arange(width)[None, :]
    inputs = dict(hidden_states=torch.randn(batch, height * width, model.config.in_channels),
                  encoder_hidden_states=torch.randn(batch, text, model.config.joint_attention_dim),
                  pooled_projections=torch.randn(batch, model.config.pooled_projection_dim),
                  timestep=torch.tensor([0.25, 0.8125]), img_ids=ids.reshape(-1, 3), txt_ids=torch.zeros(text, 3))
    if model.config.guidance_embeds:
        inputs["guidance"] = torch.tensor([1.5, 3.5])
    double = model.double()
    with torch.no_grad():
        output = double(**{k: v.double() for k, v in inputs.items()}, return_dict=False)[0]
    save_file({**{"in." + k: v for k, v in inputs.items()}, "out": output.contiguous()}, os.path.join(folder, "io.st"))


for seed, (name, overrides) in enumerate(CASES.items()):
    make(name, overrides, seed)
