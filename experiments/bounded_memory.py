"""Measures what `svdlab quantize` holds in memory on a synthetic checkpoint of FLUX.1's shapes.

    python3 experiments/bounded_memory.py build/svdlab /tmp/flux-6g --double 5 --single 11 -- --config C --threads 2

makes the folder if it is not there (bf16, streamed; the default is 6.2 GiB), with `--stats PATTERN` statistics of the
groups whose names contain it, runs `svdlab quantize FOLDER --out FOLDER/out ...` and reads RssAnon and VmHWM of the
process from /proc 50 times a second, beside the bound that it printed. Needs numpy. Exit code 1: above the bound.
"""
import argparse
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import threading
import time

import numpy as np

HEADS, HEAD_DIM, TEXT, POOLED, LATENT = 24, 128, 4096, 768, 64
HIDDEN = HEADS * HEAD_DIM


def linears(double, single):
    """Name -> (out, in) of every linear of FLUX.1 with this many blocks."""
    out = {"x_embedder": (HIDDEN, LATENT), "context_embedder": (HIDDEN, TEXT), "proj_out": (LATENT, HIDDEN),
           "norm_out.linear": (2 * HIDDEN, HIDDEN)}
    for part, width in (("timestep_embedder", 256), ("guidance_embedder", 256), ("text_embedder", POOLED)):
        out[f"time_text_embed.{part}.linear_1"] = (HIDDEN, width)
        out[f"time_text_embed.{part}.linear_2"] = (HIDDEN, HIDDEN)
    for i in range(double):
        block = f"transformer_blocks.{i}."
        for norm in ("norm1", "norm1_context"):
            out[block + norm + ".linear"] = (6 * HIDDEN, HIDDEN)
        for name in ("to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj", "to_out.0", "to_add_out"):
            out[block + "attn." + name] = (HIDDEN, HIDDEN)
        for ff in ("ff", "ff_context"):
            out[block + ff + ".net.0.proj"] = (4 * HIDDEN, HIDDEN)
            out[block + ff + ".net.2"] = (HIDDEN, 4 * HIDDEN)
    for i in range(single):
        block = f"single_transformer_blocks.{i}."
        out[block + "norm.linear"] = (3 * HIDDEN, HIDDEN)
        for name in ("to_q", "to_k", "to_v"):
            out[block + "attn." + name] = (HIDDEN, HIDDEN)
        out[block + "proj_mlp"] = (4 * HIDDEN, HIDDEN)
        out[block + "proj_out"] = (HIDDEN, 5 * HIDDEN)
    return out


def norms(double, single):
    for i in range(double):
        for name in ("norm_q", "norm_k", "norm_added_q", "norm_added_k"):
            yield f"transformer_blocks.{i}.attn.{name}.weight"
    for i in range(single):
        for name in ("norm_q", "norm_k"):
            yield f"single_transformer_blocks.{i}.attn.{name}.weight"


class Noise:
    """Normal bf16 values, cut from one block at another place for every tensor."""

    def __init__(self, scale):
        values = np.random.default_rng(0).standard_normal(1 << 25, dtype=np.float32) * scale
        self.values, self.at = (values.view(np.uint32) >> 16).astype(np.uint16), 0

    def pieces(self, count):
        while count > 0:
            self.at = (self.at * 5 + 7919) % (len(self.values) // 2)
            piece = self.values[self.at:self.at + min(count, len(self.values) // 2)]
            count -= len(piece)
            yield piece.tobytes()


def write_safetensors(path, entries, metadata=None):
    """entries: name -> (dtype, shape, bytes, function that yields them)."""
    header, offset = ({"__metadata__": metadata} if metadata else {}), 0
    for name, (dtype, shape, size, _) in entries.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".tmp", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, _, pieces in entries.values():
            for piece in pieces():
                file.write(piece)
    os.rename(path + ".tmp", path)
    return offset


def make_model(folder, double, single):
    os.makedirs(folder, exist_ok=True)
    config = {"_class_name": "FluxTransformer2DModel", "in_channels": LATENT, "num_layers": double,
              "num_single_layers": single, "attention_head_dim": HEAD_DIM, "num_attention_heads": HEADS,
              "joint_attention_dim": TEXT, "pooled_projection_dim": POOLED, "guidance_embeds": True}
    with open(folder + "/config.json", "w") as file:
        json.dump(config, file, indent=1)
    noise, entries = Noise(0.02), {}

    def add(name, shape):
        count = int(np.prod(shape))
        entries[name] = ("BF16", list(shape), 2 * count, lambda: noise.pieces(count))

    for name, shape in linears(double, single).items():
        add(name + ".weight", shape)
        add(name + ".bias", shape[:1])
    for name in norms(double, single):
        add(name, (HEAD_DIM,))
    size = write_safetensors(folder + "/diffusion_pytorch_model.safetensors", entries)
    print(f"{folder}: {size / 2**30:.2f} GiB of weights", flush=True)


def make_stats(path, svdlab, folder, pattern, tokens=1024):
    """Statistics of random tokens with a few large channels; the Gram matrix is one of 64 of them and a diagonal."""
    described = json.loads(subprocess.check_output([svdlab, "inspect", folder, "--groups"]))
    shapes = linears(1000, 1000)
    rng, entries = np.random.default_rng(1), {}
    for group in described["groups"]:
        if pattern not in group:
            continue
        size = shapes[group][1]
        scale = np.where(rng.random(size) < 0.01, 20, 1).astype(np.float32)
        x = rng.standard_normal((tokens, size), dtype=np.float32) * scale
        few = x[:64].astype(np.float64) * np.sqrt(tokens / 64 / 2)
        scaled = np.square(x.astype(np.float64)).sum(0) / 2

        def gram(few=few, scaled=scaled):
            for begin in range(0, few.shape[1], 512):
                rows = few[:, begin:begin + 512].T @ few
                rows[np.arange(len(rows)), np.arange(begin, begin + len(rows))] += scaled[begin:begin + len(rows)]
                yield rows.tobytes()

        arrays = {"tokens": np.array([tokens, tokens]), "absmax": np.abs(x).max(0), "min": x.min(0), "max": x.max(0),
                  "sum": x.sum(0, dtype=np.float64), "reservoir": x, "keys": np.arange(tokens)}
        for field, value in arrays.items():
            dtype = {"float32": "F32", "float64": "F64", "int64": "I64"}[str(value.dtype)]
            entries[f"{group}.{field}"] = (dtype, list(value.shape), value.nbytes, lambda v=value: [v.tobytes()])
        entries[f"{group}.gram"] = ("F64", [size, size], 8 * size * size, gram)
    size = write_safetensors(path, entries, {"fingerprint": described["model_sha256"]})
    print(f"{path}: {len(entries) // 8} groups, {size / 2**30:.2f} GiB", flush=True)


class Watch(threading.Thread):
    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path, self.anonymous, self.resident = f"/proc/{pid}/status", 0, 0

    def run(self):
        try:
            while True:
                with open(self.path) as file:
                    status = dict(re.findall(r"(\w+):\s+(\d+) kB", file.read()))
                self.anonymous = max(self.anonymous, int(status["RssAnon"]))
                self.resident = max(self.resident, int(status["VmHWM"]))
                time.sleep(0.02)
        except (OSError, KeyError):
            pass


def main():
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("svdlab")
    parser.add_argument("folder")
    parser.add_argument("--double", type=int, default=5)
    parser.add_argument("--single", type=int, default=11)
    parser.add_argument("--stats", help="make statistics of the groups whose names contain this")
    options = parser.parse_args(sys.argv[1:split])
    if not os.path.exists(options.folder + "/diffusion_pytorch_model.safetensors"):
        make_model(options.folder, options.double, options.single)
    command = [options.svdlab, "quantize", options.folder, "--out", options.folder + "/out"] + sys.argv[split + 1:]
    if options.stats is not None:
        stats = options.folder + ".stats.safetensors"
        make_stats(stats, options.svdlab, options.folder, options.stats)
        command += ["--stats", stats]
    shutil.rmtree(options.folder + "/out", ignore_errors=True)
    started = time.time()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    watch = Watch(process.pid)
    watch.start()
    text = process.communicate()[0]
    print(text, end="")
    if process.returncode != 0:
        sys.exit(f"svdlab quantize failed with {process.returncode}")
    number, unit = re.search(r"memory  at most ([\d.]+) (GiB|MiB)", text).groups()
    bound = float(number) * (1 if unit == "GiB" else 1 / 1024)
    anonymous, resident = watch.anonymous / 2**20, watch.resident / 2**20
    print(f"seen from outside: RssAnon {anonymous:.2f} GiB of {bound:.2f} GiB planned, VmHWM {resident:.2f} GiB with "
          f"mapped pages, {time.time() - started:.0f} s")
    sys.exit(0 if anonymous <= bound else 1)


if __name__ == "__main__":
    main()
