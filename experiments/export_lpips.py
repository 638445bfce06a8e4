"""Writes the networks of LPIPS 0.1 as svdlab reads them, from the packages you have installed.

  python3 export_lpips.py OUT_FOLDER [alex squeeze]

Writes lpips_alex.safetensors and lpips_squeeze.safetensors: the convolutions `features.*` of torchvision's AlexNet and
SqueezeNet 1.1 (which torchvision downloads once) and the heads `v0.1.lin<i>.model.1.weight` of the lpips package.
Then: svdlab eval --ref A --gen B --lpips OUT_FOLDER/lpips_alex.safetensors. Needs lpips, torchvision, safetensors.
"""
import pathlib
import re
import sys

import lpips
import torchvision
from safetensors.torch import save_file


def tensors(model):
    """The state of lpips.LPIPS under the names svdlab reads."""
    out = {}
    for name, tensor in model.state_dict().items():
        if trunk := re.fullmatch(r"net\.slice\d+\.(.+)", name):
            out["features." + trunk[1]] = tensor.contiguous()
        elif re.fullmatch(r"lin\d+\.model\.1\.weight", name):
            out["v0.1." + name] = tensor.contiguous()
    return out


def main():
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= {"alex", "squeeze"}:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for net in sys.argv[2:] or ["alex", "squeeze"]:
        path = folder / f"lpips_{net}.safetensors"
        model = lpips.LPIPS(net=net, version="0.1", verbose=False)
        save_file(tensors(model), path, metadata={"name": f"lpips 0.1 {net}", "torchvision": torchvision.__version__})
        print(path)


if __name__ == "__main__":
    main()
