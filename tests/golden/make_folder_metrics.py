"""Writes folder_metrics.json: MS-SSIM by torchmetrics, SSIM by scikit-image, KID and improved precision and recall of
two sets of features by torchmetrics and scipy.

Needs torch, torchmetrics >= 1.4.2, scikit-image, scipy. The patterns are repeated in tests/eval/pattern.h;
importing make_image_metrics writes its file anew.
"""
import json
import pathlib

import numpy as np
import scipy
import skimage
import torch
import torchmetrics
from scipy.spatial.distance import cdist
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure
from torchmetrics.image.kid import poly_mmd

from make_image_metrics import pattern, tensor

ssim_sk = []
for width, height, amplitude in [(32, 32, 1), (32, 32, 10), (32, 32, 100), (7, 7, 20), (61, 17, 40), (8, 128, 5)]:
    a, b = (i.astype(np.uint8) for i in pattern(width, height, amplitude))
    ssim_sk.append({"width": width, "height": height, "amplitude": amplitude,
                    "ssim_sk": structural_similarity(a, b, channel_axis=-1, data_range=255)})

ms_ssim = []
for width, height, amplitude in [(176, 176, 10), (176, 211, 60), (256, 192, 120), (177, 179, 255)]:
    a, b = (tensor(i) for i in pattern(width, height, amplitude))
    value = multiscale_structural_similarity_index_measure(b, a, data_range=255.0, normalize="relu")
    ms_ssim.append({"width": width, "height": height, "amplitude": amplitude, "ms_ssim": value.item()})

j = np.arange(6)[None, :]
i = np.arange(60)[:, None]
a = np.sin(i * (j + 1) * 0.7) + 0.3 * j
b = 0.9 * a + 0.2 * np.cos(i * (j + 2) * 0.3) + (i % 5) * 0.04


def covered(points, manifold, k=3):
    radius = np.sort(cdist(manifold, manifold), axis=1)[:, k]  # column 0 is the point itself
    return float((cdist(points, manifold) <= radius).any(axis=1).mean())


out = {"made_with": {"torch": torch.__version__, "torchmetrics": torchmetrics.__version__, "numpy": np.__version__,
                     "scikit-image": skimage.__version__, "scipy": scipy.__version__},
       "ssim_sk": ssim_sk, "ms_ssim": ms_ssim,
       "kid": poly_mmd(torch.tensor(a), torch.tensor(b)).item(),
       "precision": covered(b[:45], a), "recall": covered(a, b[:45])}
pathlib.Path(__file__).with_name("folder_metrics.json").write_text(json.dumps(out, indent=1) + "\n")
