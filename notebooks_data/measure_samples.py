"""Class agreement and 64-d Frechet distance of generated CIFAR-10 pictures, by a public ResNet-20 (akamaster, 91.8 %).

Usage: python3 notebooks_data/measure_samples.py WEIGHTS CIFAR_FOLDER SAMPLES...
  WEIGHTS       resnet20-12fca82f.safetensors
  CIFAR_FOLDER  cifar10_batch_<n>.png sheets (1024 x 1000, one image a row) of the training set
  SAMPLES       safetensors with images [N,3,32,32] uint8 and labels [N], or folders of <prefix>-<index>-<class>.png
Prints one line per SAMPLES: name, n, agreement, Frechet distance to the training set.
"""
import glob
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def network(path):
    w = {k.removeprefix("module."): v.to(DEVICE) for k, v in load_file(path).items()}

    def conv_bn(x, conv, bn, stride):
        x = F.conv2d(x, w[conv + ".weight"], stride=stride, padding=1)
        return F.batch_norm(x, w[bn + ".running_mean"], w[bn + ".running_var"], w[bn + ".weight"], w[bn + ".bias"], eps=1e-5)

    def run(images):
        mean = torch.tensor([.485, .456, .406], device=DEVICE).view(1, 3, 1, 1)
        std = torch.tensor([.229, .224, .225], device=DEVICE).view(1, 3, 1, 1)
        x = F.relu(conv_bn((images.to(DEVICE).float() / 255 - mean) / std, "conv1", "bn1", 1))
        for stage in (1, 2, 3):
            for block in (0, 1, 2):
                p, stride = f"layer{stage}.{block}.", 2 if stage > 1 and block == 0 else 1
                y = F.relu(conv_bn(x, p + "conv1", p + "bn1", stride))
                y = conv_bn(y, p + "conv2", p + "bn2", 1)
                if stride == 2:  # option A: stride and zero channels
                    c = y.shape[1] // 4
                    x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, c, c))
                x = F.relu(x + y)
        feature = x.mean((2, 3))
        return feature.double().cpu(), F.linear(feature, w["linear.weight"], w["linear.bias"]).argmax(1).cpu()

    return run


def batched(run, images):
    with torch.no_grad():
        parts = [run(images[i:i + 1000]) for i in range(0, len(images), 1000)]
    return torch.cat([p[0] for p in parts]).numpy(), torch.cat([p[1] for p in parts])


def frechet(a, b):
    mu, sa, sb = a.mean(0) - b.mean(0), np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(sa)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ sb @ root), 0)).sum()
    return float(mu @ mu + np.trace(sa) + np.trace(sb) - 2 * cross)


def sheet(path):
    return torch.from_numpy(np.asarray(Image.open(path)).reshape(1000, 32, 32, 3).copy()).permute(0, 3, 1, 2)


def samples(path):
    if os.path.isdir(path):
        files = sorted(f for f in glob.glob(path + "/*.png") if os.path.basename(f) != "grid.png")
        images = np.stack([np.asarray(Image.open(f).convert("RGB")) for f in files])
        return torch.from_numpy(images).permute(0, 3, 1, 2), torch.tensor(
            [CLASSES.index(os.path.basename(f)[:-4].split("-")[-1]) for f in files])
    tensors = load_file(path)
    return tensors["images"], tensors["labels"]


run = network(sys.argv[1])
train = np.concatenate([batched(run, sheet(f"{sys.argv[2]}/cifar10_batch_{n}.png"))[0] for n in range(50)
                        if os.path.exists(f"{sys.argv[2]}/cifar10_batch_{n}.png")])
for path in sys.argv[3:]:
    images, labels = samples(path)
    features, predicted = batched(run, images)
    agreement = (predicted == labels).double().mean().item()
    print(f"{os.path.basename(path.rstrip('/'))}: n {len(labels)} agreement {agreement:.3f} frechet64 {frechet(features, train):.3f}")
