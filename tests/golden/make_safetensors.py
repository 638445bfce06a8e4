"""Writes safetensors.safetensors with the Python library: every dtype torch can hold, a scalar, an empty tensor.

Needs torch >= 2.8 and safetensors >= 0.6. Values are i - 3 for element i (i % 2 for bool), so the test can restate them.
"""
import os
import torch
from safetensors.torch import save_file

here = os.path.dirname(os.path.abspath(__file__))
ramp = torch.arange(6, dtype=torch.float32) - 3

tensors = {
    "f64": ramp.double().reshape(2, 3),
    "i64": ramp.long().reshape(2, 3),
    "c64": torch.complex(ramp, -ramp),
    "f32": ramp.reshape(2, 3),
    "f32.scalar": torch.tensor(2.5),
    "f32.empty": torch.empty(0, 5),
    "i32": ramp.int(),
    "u32": (ramp + 3).to(torch.uint32),
    "f16": ramp.half(),
    "bf16": ramp.bfloat16().reshape(3, 2),
    "i16": ramp.short(),
    "i8": ramp.to(torch.int8),
    "u8": (ramp + 3).to(torch.uint8),
    "bool": torch.arange(6) % 2 == 1,
    "f8_e4m3": ramp.to(torch.float8_e4m3fn).reshape(2, 3),
    "f8_e5m2": ramp.to(torch.float8_e5m2),
    "f8_e8m0": torch.tensor([1, 2, 0.5], dtype=torch.float32).to(torch.float8_e8m0fnu),
}
save_file(tensors, os.path.join(here, "safetensors.safetensors"), metadata={"origin": "python"})
