"""Writes statistics.json and statistics/*.npz: Frechet distances of given statistics by pytorch-fid (scipy's sqrtm), KID by
torchmetrics, and the files that numpy.savez and savez_compressed make of them.

Needs numpy, scipy, torch, torchmetrics, pytorch-fid. The features are repeated in tests/eval/feature_set_test.cpp.
"""
import json
import pathlib

import numpy as np
import scipy
import torch
import torchmetrics
from pytorch_fid.fid_score import calculate_frechet_distance
from torchmetrics.image.kid import poly_mmd

here = pathlib.Path(__file__).parent
folder = here / "statistics"
folder.mkdir(exist_ok=True)


def features(n, d, shift):
    i, j = np.arange(n)[:, None], np.arange(d)[None, :]
    return np.sin(i * (j + 1) * 0.7 + shift) + np.cos(i * 0.013 * (j + 3)) * (1 + shift) + j * 0.05 * (1 + shift)


def statistics(x):
    return x.mean(axis=0), np.cov(x, rowvar=False)


cases = []
for n, d in [(300, 8), (400, 64), (900, 128)]:
    a, b = features(n, d, 0.0), features(n, d, 0.3)
    # tr sqrt(S1 S2) in float64; scipy's own error is what the tolerance is for
    cases.append({"n": n, "d": d, "frechet": float(calculate_frechet_distance(*statistics(a), *statistics(b)))})

mu, sigma = statistics(features(300, 8, 0.3))
np.savez(folder / "stored.npz", mu=mu, sigma=sigma)
np.savez_compressed(folder / "compressed.npz", mu=mu.astype(np.float32), sigma=sigma.astype(np.float32),
                    label=np.array(["text", "is left alone"]))
np.savez(folder / "fortran.npz", mu=mu, sigma=np.asfortranarray(np.vstack([sigma, sigma])))
np.savez(folder / "half.npz", mu=mu.astype(np.float16), sigma=sigma)

rng = np.random.default_rng(0)
a, b = torch.tensor(features(200, 8, 0.0)), torch.tensor(features(200, 8, 1.0))
subsets = [poly_mmd(a[torch.tensor(rng.permutation(200)[:100])], b[torch.tensor(rng.permutation(200)[:100])]).item()
           for _ in range(100)]
out = {"made_with": {"numpy": np.__version__, "scipy": scipy.__version__, "pytorch-fid": "0.3.0",
                     "torchmetrics": torchmetrics.__version__},
       "frechet": cases, "kid": poly_mmd(a, b).item(),
       "kid_100_subsets_of_100": float(np.mean(subsets))}
(here / "statistics.json").write_text(json.dumps(out, indent=1) + "\n")
