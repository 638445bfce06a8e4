"""Prints the folder of the torch that python3 imports; exit 1 and one line on stderr where it cannot serve."""
import os
import shutil
import sys

try:
    import torch
except ImportError as error:
    sys.exit(f"python3 cannot import torch: {error}")
if not torch.compiled_with_cxx11_abi():
    sys.exit(f"torch {torch.__version__} of python3 has the old C++ ABI; 2.7 or newer has the new one")
if torch.version.cuda and not shutil.which("nvcc"):
    sys.exit(f"torch {torch.__version__} of python3 needs nvcc of CUDA {torch.version.cuda} in PATH")
print(os.path.dirname(torch.__file__))
