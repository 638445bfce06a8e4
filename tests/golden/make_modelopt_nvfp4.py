"""Writes modelopt_nvfp4.safetensors: a weight packed and decoded again by NVIDIA ModelOpt's own NVFP4QTensor.

    pip install nvidia-modelopt torch safetensors
    python make_modelopt_nvfp4.py
"""

import torch
from modelopt.torch.quantization.qtensor import NVFP4QTensor
from safetensors.torch import save_file

torch.manual_seed(0)
weight = torch.randn(24, 80) * torch.logspace(-2, 1, 80)
weight[3, 16:32] = 0
packed, scale, scale_2 = NVFP4QTensor.quantize(weight.clone(), 16)
decoded = packed.dequantize(dtype=torch.float32, scale=scale, double_scale=scale_2, block_sizes={-1: 16})
save_file(
    {
        "linear.weight": packed._quantized_data,
        "linear.weight_scale": scale,
        "linear.weight_scale_2": scale_2,
        "linear.dequantized": decoded,
    },
    "modelopt_nvfp4.safetensors",
)
