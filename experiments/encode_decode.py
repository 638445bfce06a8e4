"""What stands around the transformer, on your own diffusers: prompts to embeddings and noise, final latents to pictures.

  python3 encode_decode.py encode PIPELINE PROMPTS.yaml OUT [--height 1024 --width 1024 --steps 50 --guidance 3.5]
  svdlab sample PIPELINE/transformer --prompts OUT/prompts.safetensors --latents OUT/latents.safetensors --out LATENTS
  python3 encode_decode.py decode PIPELINE LATENTS

PIPELINE is a FLUX.1 folder or name; PROMPTS.yaml maps item names to prompts. An item's noise is torch.randn of the seed
that DeepCompressor derives from its name. decode writes <item>.png beside every LATENTS/<item>.safetensors.
"""
import argparse
import pathlib

import numpy as np
import torch
import yaml
from diffusers import FluxPipeline
from diffusers.pipelines.flux.pipeline_flux import calculate_shift, retrieve_timesteps
from safetensors import safe_open
from safetensors.torch import save_file


def seed_of(name):
    value = 0
    for c in name:
        value = (value * 31 + ord(c)) % 1_000_000_007
    return value


def schedule(pipeline, steps, tokens):
    """The noise levels diffusers would step through, 0 included."""
    c = pipeline.scheduler.config
    mu = calculate_shift(tokens, c.base_image_seq_len, c.max_image_seq_len, c.base_shift, c.max_shift)
    retrieve_timesteps(pipeline.scheduler, steps, "cpu", sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)
    return pipeline.scheduler.sigmas.float().cpu()


def encode(a):
    pipeline = FluxPipeline.from_pretrained(a.pipeline, transformer=None, vae=None, torch_dtype=a.dtype).to(a.device)
    prompts, latents, scale = {}, {}, 8 * 2
    height, width = 2 * (a.height // scale), 2 * (a.width // scale)
    for name, prompt in yaml.safe_load(open(a.prompts)).items():
        with torch.no_grad():
            tokens, pooled, _ = pipeline.encode_prompt(prompt, prompt, max_sequence_length=a.tokens)
        noise = torch.randn(1, 16, height, width, generator=torch.Generator().manual_seed(seed_of(name)), dtype=a.dtype)
        prompts[f"{name}.tokens"], prompts[f"{name}.pooled"] = tokens[0].float().cpu(), pooled[0].float().cpu()
        latents[f"{name}.latents"] = pipeline._pack_latents(noise, 1, 16, height, width)[0].float()
    latents["sigmas"] = schedule(pipeline, a.steps, height * width // 4)
    a.out.mkdir(parents=True, exist_ok=True)
    save_file(prompts, a.out / "prompts.safetensors")
    save_file(latents, a.out / "latents.safetensors",
              metadata={"height": str(height), "width": str(width), "guidance": str(a.guidance)})


def decode(a):
    pipeline = FluxPipeline.from_pretrained(a.pipeline, transformer=None, text_encoder=None, text_encoder_2=None,
                                            tokenizer=None, tokenizer_2=None, torch_dtype=a.dtype).to(a.device)
    for path in sorted(a.latents.glob("*.safetensors")):
        with safe_open(path, "pt") as f:
            tokens, size = f.get_tensor("latents")[-1:], f.metadata()
        z = pipeline._unpack_latents(tokens, 8 * int(size["height"]), 8 * int(size["width"]), 8)
        z = z / pipeline.vae.config.scaling_factor + pipeline.vae.config.shift_factor
        with torch.no_grad():
            image = pipeline.vae.decode(z.to(a.device, a.dtype), return_dict=False)[0].float()
        pipeline.image_processor.postprocess(image)[0].save(path.with_suffix(".png"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("encode")
    one.set_defaults(run=encode)
    for name, kind in [("pipeline", str), ("prompts", pathlib.Path), ("out", pathlib.Path)]:
        one.add_argument(name, type=kind)
    for name, value in [("height", 1024), ("width", 1024), ("steps", 50), ("guidance", 3.5), ("tokens", 512)]:
        one.add_argument("--" + name, type=type(value), default=value)
    two = commands.add_parser("decode")
    two.set_defaults(run=decode)
    two.add_argument("pipeline")
    two.add_argument("latents", type=pathlib.Path)
    for command in (one, two):
        command.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
        command.add_argument("--dtype", type=lambda name: getattr(torch, name), default=torch.bfloat16)
    a = parser.parse_args()
    a.run(a)


if __name__ == "__main__":
    main()
