"""Puts a folder of `svdlab export --format nunchaku-lite` through diffusers' own loading code.

    pip install diffusers torch safetensors
    python check_nunchaku_lite.py FOLDER

The configuration class, the replacement of the linears and the strict comparison of names are diffusers'; shapes and
types are compared with the modules it makes. Only the kernels, which need a GPU, are replaced by nothing.
"""

import importlib.machinery
import json
import os
import sys
import types

os.environ["DIFFUSERS_TRUST_REMOTE_KERNELS"] = "true"
kernels = types.ModuleType("kernels")
kernels.__spec__ = importlib.machinery.ModuleSpec("kernels", None)
kernels.get_kernel = lambda *args, **kwargs: types.SimpleNamespace(ops=None)
sys.modules["kernels"] = kernels

import diffusers
import diffusers.utils
import torch
from safetensors import safe_open

diffusers.utils.is_kernels_available = lambda: True
diffusers.utils.is_kernels_version = lambda *args: False
from diffusers.quantizers.nunchaku import utils
from diffusers.quantizers.quantization_config import NunchakuLiteQuantizationConfig

folder = sys.argv[1]
config = json.load(open(os.path.join(folder, "config.json")))
quantization = config.pop("quantization_config")
quantization.pop("quant_method")
parsed = NunchakuLiteQuantizationConfig(**quantization)
with torch.device("meta"):
    model = getattr(diffusers, config["_class_name"]).from_config(config).to(torch.bfloat16)
    count = utils.replace_with_nunchaku_linear(model, parsed.to_dict(), parsed.compute_dtype)
with safe_open(os.path.join(folder, "diffusion_pytorch_model.safetensors"), "pt") as file:
    state = {name: file.get_tensor(name) for name in file.keys()}
utils.check_strict_state_dict_match(model, state)
wrong = 0
for name, parameter in model.named_parameters():
    same_type = parameter.dtype == state[name].dtype or name.endswith(".wtscale")  # fp32, cast when it is loaded
    if parameter.shape != state[name].shape or not same_type:
        print(name, state[name].dtype, tuple(state[name].shape), "loader:", parameter.dtype, tuple(parameter.shape))
        wrong += 1
print(f"{count} quantized linears, {len(state)} tensors, {wrong} that do not fit")
sys.exit(wrong > 0)
