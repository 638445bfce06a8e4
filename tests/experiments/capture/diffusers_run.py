"""Runs a FLUX.1-layout model in diffusers over given inputs and captures its statistics.

    python diffusers_run.py MODEL GROUPS INPUTS OUT MEMORY_GIB
INPUTS: safetensors with <item>.latents [steps, tokens, channels], <item>.tokens, <item>.pooled, and sigmas, img_ids,
guidance shared by all items.
"""
import sys
from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[3] / "experiments"))
from capture import Capture

folder, groups, inputs, out, memory = sys.argv[1:]
torch.set_num_threads(1)
model = FluxTransformer2DModel.from_pretrained(folder, torch_dtype=torch.float32).eval()
given = load_file(inputs)
items = sorted(name[: -len(".latents")] for name in given if name.endswith(".latents"))
capture = Capture(model, groups, out, tokens=256, memory_gib=float(memory))
for _ in capture.passes():
    for item in items:
        capture.start_item(item)
        for step, sigma in enumerate(given["sigmas"]):
            text = given[f"{item}.tokens"]
            with torch.no_grad():
                model(
                    hidden_states=given[f"{item}.latents"][step : step + 1],
                    encoder_hidden_states=text[None],
                    pooled_projections=given[f"{item}.pooled"][None],
                    timestep=sigma[None],
                    guidance=given["guidance"] if model.config.guidance_embeds else None,
                    img_ids=given["img_ids"],
                    txt_ids=torch.zeros(text.shape[0], 3),
                )
