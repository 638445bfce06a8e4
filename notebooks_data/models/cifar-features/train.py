"""Trains the feature network of this folder: a ResNet for 32 x 32 pictures (He et al. 2016, section 4.2, one block a
stage), on CIFAR-10, on one CPU core in about twelve minutes.

  python3 train.py CIFAR_FOLDER OUT.safetensors [--epochs 10]

CIFAR_FOLDER holds cifar10_batch_<0 to 49>.png (training) and cifar10_batch_50.png (the first 1,000 test pictures), each
1024 x 1000 RGB, a row a picture, and labels.txt, a label a line. Needs torch, numpy, Pillow, safetensors. The tensors
have the names svdlab reads (eval/cifar_resnet.h) and are stored as F16.
"""
import argparse
import json
import pathlib
import time

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


class Block(nn.Module):
    def __init__(self, inner, outer):
        super().__init__()
        self.stride = 1 if inner == outer else 2
        self.pad = (outer - inner) // 2
        self.conv1 = nn.Conv2d(inner, outer, 3, self.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride == 2:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(x + y)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = (
            nn.Sequential(Block(a, b)) for a, b in [(16, 16), (16, 32), (32, 64)])
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def pictures(folder, batches):
    raw = [np.asarray(Image.open(folder / f"cifar10_batch_{i}.png").convert("RGB")) for i in batches]
    raw = torch.from_numpy(np.concatenate(raw).reshape(-1, 32, 32, 3)).permute(0, 3, 1, 2)
    return (raw.float() / 255 - MEAN) / DEVIATION


def augmented(x):
    """Each picture moved by up to four pixels, mirrored half of the time."""
    x = F.pad(x, (4, 4, 4, 4))
    dy, dx = torch.randint(0, 9, (2, len(x)))
    rows = (torch.arange(32) + dy[:, None])[:, None, :, None]
    columns = torch.arange(32) + dx[:, None]
    columns = torch.where(torch.rand(len(x), 1) < 0.5, columns.flip(1), columns)[:, None, None, :]
    return x[torch.arange(len(x))[:, None, None, None], torch.arange(3)[:, None, None], rows, columns]


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        right = sum((model(a).argmax(1) == b).sum().item() for a, b in zip(x.split(500), y.split(500)))
    return right / len(y)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("cifar", type=pathlib.Path)
    arguments.add_argument("out", type=pathlib.Path)
    arguments.add_argument("--epochs", type=int, default=10)
    arguments = arguments.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    labels = torch.tensor([int(v) for v in (arguments.cifar / "labels.txt").read_text().split()])
    x, y = pictures(arguments.cifar, range(50)), labels[:50000]
    test_x, test_y = pictures(arguments.cifar, [50]), labels[50000:]
    model, batch = Network(), 128
    steps = arguments.epochs * (len(x) // batch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, steps, pct_start=0.25)
    started = time.time()
    for epoch in range(arguments.epochs):
        model.train()
        for rows in torch.randperm(len(x))[: len(x) // batch * batch].split(batch):
            loss = F.cross_entropy(model(augmented(x[rows])), y[rows], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}, test {accuracy(model, test_x, test_y):.3f}, "
              f"{time.time() - started:.0f} s", flush=True)
    tensors = {name: t.half().contiguous() for name, t in model.state_dict().items()
               if not name.endswith("num_batches_tracked")}
    model.load_state_dict(tensors, strict=False)
    facts = {"name": "svdlab-cifar-resnet8", "version": "1", "epochs": str(arguments.epochs),
             "test_accuracy": f"{accuracy(model, test_x, test_y):.3f} of the first {len(test_y)} test pictures"}
    save_file(tensors, arguments.out, metadata=facts)
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
