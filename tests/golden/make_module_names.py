"""Names and shapes of every linear of the models that plans know, as diffusers builds them: module_names.txt.

    python3 tests/golden/make_module_names.py > tests/golden/module_names.txt

A line is `class name count out in`; numbers of blocks are written as # and counted. Needs torch and diffusers.
"""
import collections
import re

import diffusers
import torch

SDXL = dict(
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    block_out_channels=(320, 640, 1280), cross_attention_dim=2048, transformer_layers_per_block=(1, 2, 10),
    attention_head_dim=(5, 10, 20), use_linear_projection=True, addition_embed_type="text_time",
    addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816)
MODELS = {
    "FluxTransformer2DModel": dict(guidance_embeds=True),
    "PixArtTransformer2DModel": dict(num_layers=28, cross_attention_dim=1152, caption_channels=4096, out_channels=8,
                                     sample_size=128, use_additional_conditions=False),
    "SanaTransformer2DModel": {},
    "UNet2DConditionModel": SDXL,
}

print("# made by make_module_names.py with diffusers", diffusers.__version__)
for class_name, config in MODELS.items():
    with torch.device("meta"):
        model = getattr(diffusers, class_name)(**config)
    lines = collections.Counter()
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            pattern = re.sub(r"(blocks|attentions|resnets)\.\d+", r"\1.#", name)
            lines[(pattern, *module.weight.shape)] += 1
    for (pattern, rows, columns), count in lines.items():
        print(class_name, pattern, count, rows, columns)
