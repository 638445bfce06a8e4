"""Writes image_metrics.json: SSIM and PSNR of patterned image pairs by torchmetrics, Frechet distance by numpy.

Needs torch and torchmetrics >= 1.4.2. The patterns are repeated in tests/eval/pattern.h.
"""
import json
import pathlib

import numpy as np
import torch
import torchmetrics
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure


def pattern(width, height, amplitude):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    reference = (x * 7 + y * 13 + c * 29 + (x * y) % 17 * 5) % 256
    noise = (x * 31 + y * 17 + c * 7 + x * y * 3) % (2 * amplitude + 1) - amplitude
    return reference, np.clip(reference + noise, 0, 255)


def tensor(image):
    return torch.tensor(image, dtype=torch.float64).permute(2, 0, 1)[None]


images = []
for width, height, amplitude in [(32, 32, 1), (32, 32, 10), (32, 32, 100), (6, 6, 20), (61, 17, 40), (11, 128, 5)]:
    reference, candidate = (tensor(i) for i in pattern(width, height, amplitude))
    images.append({
        "width": width, "height": height, "amplitude": amplitude,
        "ssim": structural_similarity_index_measure(candidate, reference, data_range=255.0).item(),
        "psnr": peak_signal_noise_ratio(candidate, reference, data_range=255.0).item(),
    })

i = np.arange(200)[:, None]
j = np.arange(6)[None, :]
a = np.sin(i * (j + 1) * 0.7) + j
b = np.cos(i * (j + 2) * 0.3) * (j + 1) + (i % 5) * 0.2
s1, s2 = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
root = np.sqrt(np.linalg.eigvals(s1 @ s2).astype(complex)).real.sum()
frechet = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * root

out = {"made_with": {"torch": torch.__version__, "torchmetrics": torchmetrics.__version__, "numpy": np.__version__},
       "images": images, "frechet": float(frechet)}
pathlib.Path(__file__).with_name("image_metrics.json").write_text(json.dumps(out, indent=1) + "\n")
