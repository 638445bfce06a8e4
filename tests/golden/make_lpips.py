"""Writes lpips.json: LPIPS distances of random pairs by torchmetrics and by the lpips package.

  python3 tests/golden/make_lpips.py LPIPS_SQUEEZE.safetensors

squeeze: 64 pairs with the weights of the file (torchvision's SqueezeNet 1.1 and the heads of LPIPS 0.1). alex: 4 pairs
with random weights, which the C++ test draws alike: torch.rand on the CPU gives the low 24 bits of MT19937's words.
Needs torch, torchvision, torchmetrics, lpips, safetensors.
"""
import json
import pathlib
import sys
import warnings

import lpips
import torch
import torchmetrics
from safetensors.torch import load_file
from torchmetrics.functional.image.lpips import _LPIPS

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "experiments"))
from export_lpips import tensors  # noqa: E402

warnings.filterwarnings("ignore")


def pair(seed, pairs, side):
    """Pictures in [-1, 1] from noise to nearly equal."""
    torch.manual_seed(seed)
    a, b = torch.rand(1, 3, side, side), torch.rand(1, 3, side, side)
    t = (seed + 1) / pairs
    return a * 2 - 1, (a * (1 - t) + b * t) * 2 - 1


def load(model, weights):
    """Puts svdlab's tensors into a model with slices."""
    state = model.state_dict()
    for name in state:
        parts = name.split(".")
        if parts[0] == "net":
            state[name] = weights["features." + ".".join(parts[3 if parts[1] == "slices" else 2:])]
        elif parts[0] == "lins":
            state[name] = weights[f"v0.1.lin{parts[1]}.{'.'.join(parts[2:])}"]
        elif parts[0].startswith("lin"):
            state[name] = weights["v0.1." + name]
    model.load_state_dict(state)
    return model.eval()


def random_weights():
    """Of the shapes of the AlexNet model, sorted by name."""
    shapes = {k: v.shape for k, v in tensors(lpips.LPIPS(net="alex", pretrained=False, pnet_rand=True,
                                                         verbose=False)).items()}
    torch.manual_seed(7)
    out = {}
    for name in sorted(shapes):
        value = torch.rand(shapes[name])
        if name.endswith(".bias") or ".lin" in name:
            out[name] = value * 0.1
        else:
            out[name] = (value - 0.5) * (2.0 / value[0].numel() ** 0.5)
    return out


squeeze = load_file(sys.argv[1])
package = load(lpips.LPIPS(net="squeeze", pretrained=False, pnet_rand=True, verbose=False), squeeze)
theirs = load(_LPIPS(pretrained=False, net="squeeze", pnet_rand=True), squeeze)
weights = random_weights()
alex = load(lpips.LPIPS(net="alex", pretrained=False, pnet_rand=True, verbose=False), weights)
with torch.no_grad():
    pairs = [pair(i, 64, 40) for i in range(64)]
    out = {
        "made_with": {"torch": torch.__version__, "torchmetrics": torchmetrics.__version__, "lpips": "0.1.4"},
        "squeeze_lpips": [package(a, b).item() for a, b in pairs],
        "squeeze_torchmetrics": [theirs(a, b).item() for a, b in pairs],
        "alex_random_lpips": [alex(*pair(i, 4, 70)).item() for i in range(4)],
        "alex_random_order": sorted(weights),
    }
pathlib.Path(__file__).with_name("lpips.json").write_text(json.dumps(out, indent=1) + "\n")
