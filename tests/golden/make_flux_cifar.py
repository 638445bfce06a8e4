"""Makes tests/golden/flux_cifar_io.st: inputs and float64 outputs of the embedded model, computed by diffusers.

Run: python3 tests/golden/make_flux_cifar.py   (needs torch, diffusers, safetensors)
"""
import os

import torch
from diffusers import FluxTransformer2DModel
from safetensors.torch import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "../../notebooks_data/models/flux-cifar")

torch.manual_seed(0)
model = FluxTransformer2DModel.from_pretrained(MODEL).double()
table = load_file(os.path.join(MODEL, "conditioning.safetensors"))
ids = torch.zeros(16, 16, 3)
ids[..., 1] += torch.arange(16)[:, None]
ids[..., 2] += torch.arange(16)[None, :]
inputs = dict(hidden_states=torch.randn(2, 256, 12), encoder_hidden_states=table["tokens"][[3, 8]],
              pooled_projections=table["pooled"][[3, 8]], timestep=torch.tensor([0.875, 0.25]),
              guidance=torch.tensor([2.0, 3.5]), img_ids=ids.reshape(-1, 3), txt_ids=torch.zeros(4, 3))
with torch.no_grad():
    output = model(**{k: v.double() for k, v in inputs.items()}, return_dict=False)[0]
save_file({**{"in." + k: v.contiguous() for k, v in inputs.items()}, "out": output.contiguous()},
          os.path.join(HERE, "flux_cifar_io.st"))
