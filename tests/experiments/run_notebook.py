"""run_notebook.py NOTEBOOK: runs it where it lies, with nbclient or, without that, its code cells in one namespace.
Exit code 77 and the name of the package when h5py, pandas or matplotlib is missing."""
import importlib.util
import json
import os
import sys

notebook = os.path.abspath(sys.argv[1])
for package in ["h5py", "pandas", "matplotlib"]:
    if importlib.util.find_spec(package) is None:
        print(package)
        sys.exit(77)
os.chdir(os.path.dirname(notebook))

if all(importlib.util.find_spec(p) for p in ["nbclient", "nbformat", "ipykernel"]):
    import nbclient
    import nbformat

    nbclient.execute(nbformat.read(notebook, as_version=4), timeout=300)
else:
    import matplotlib

    matplotlib.use("Agg")
    namespace = {}
    with open(notebook, encoding="utf-8") as file:
        for cell in json.load(file)["cells"]:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), namespace)
print("ran")
