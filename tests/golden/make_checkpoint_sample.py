"""Writes checkpoint_sample/*.safetensors: prompts and latents of two items for the model flux/guidance, and the final
latents of the loop of diffusers' FluxPipeline (FluxTransformer2DModel and FlowMatchEulerDiscreteScheduler).

Needs torch, diffusers, safetensors.
"""
import pathlib

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent
folder = here / "checkpoint_sample"
folder.mkdir(exist_ok=True)
model = FluxTransformer2DModel.from_pretrained(here / "flux" / "guidance").float().eval()
height, width, text, steps, guidance = 6, 10, 4, 5, 3.5
torch.manual_seed(0)
prompts, latents, final = {}, {}, {}
ids = FluxPipeline._prepare_latent_image_ids(1, height // 2, width // 2, "cpu", torch.float32)
for name in ("first", "second"):
    prompts[f"{name}.tokens"] = torch.randn(text, model.config.joint_attention_dim)
    prompts[f"{name}.pooled"] = torch.randn(model.config.pooled_projection_dim)
    latents[f"{name}.latents"] = torch.randn(height * width // 4, model.config.in_channels)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.7)  # not svdlab's own schedule
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps))
    x = latents[f"{name}.latents"][None]
    with torch.no_grad():
        for t in scheduler.timesteps:
            velocity = model(hidden_states=x, timestep=t[None] / 1000, guidance=torch.tensor([guidance]),
                             pooled_projections=prompts[f"{name}.pooled"][None],
                             encoder_hidden_states=prompts[f"{name}.tokens"][None], txt_ids=torch.zeros(text, 3),
                             img_ids=ids, return_dict=False)[0]
            x = scheduler.step(velocity, t, x, return_dict=False)[0]
    final[name] = x.contiguous()
latents["sigmas"] = scheduler.sigmas.clone()
save_file(prompts, folder / "prompts.safetensors")
save_file(latents, folder / "latents.safetensors",
          metadata={"height": str(height), "width": str(width), "guidance": str(guidance)})
save_file(final, folder / "final.safetensors")
