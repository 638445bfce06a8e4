"""Streams calibration statistics out of a PyTorch model into the file `svdlab quantize --stats` reads.

    svdlab inspect MODEL --groups > groups.json       # which linears share an input, and the model's hash

    from capture import Capture
    capture = Capture(pipe.transformer, "groups.json", "stats.safetensors", memory_gib=16)
    for _ in capture.passes():                        # one pass over the prompts while everything fits
        for name, prompt in prompts:
            capture.start_item(name)                  # names the random choice of tokens that are kept
            pipe(prompt, num_inference_steps=8, generator=torch.Generator().manual_seed(0))

Of every group it keeps what `svdlab calibrate` keeps: tokens, absmax, min, max, sum, the uncentred Gram matrix
(float64) and a seeded reservoir of tokens; for the same inputs, item names and steps, the same statistics.
Memory is bounded: groups that do not fit into `memory_gib` together are captured in further passes, each written to a
part of the file before the next starts. Needs torch, numpy and safetensors. Step = calls of the model since
start_item(), so guidance by two calls a step counts them as two.
"""
import json
import os
import shutil
import struct

import numpy as np
import torch
from safetensors.torch import save_file

FIELDS = ("absmax", "min", "max", "sum", "gram", "reservoir", "keys", "tokens")


def philox(counter, key):
    """Philox4x32-10 over uint32 arrays: the generator svdlab draws from, so that both keep the same tokens."""
    c = [np.asarray(x, np.uint64) for x in counter]
    k = [int(x) for x in key]
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
        c = [(p1 >> shift) ^ c[1] ^ np.uint64(k[0]), p1 & low, (p0 >> shift) ^ c[3] ^ np.uint64(k[1]), p0 & low]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def stream_key(seed, name):
    """FNV-1a over the name, finished with splitmix64."""
    mask, h = (1 << 64) - 1, 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & mask
    z = (h + seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def token_keys(seed, name, count):
    """A random 62-bit priority for each of `count` tokens."""
    key = stream_key(seed, name)
    index = np.arange(count, dtype=np.uint64)
    zero = np.zeros(count, np.uint64)
    words = philox((index, zero, zero, zero), (key & 0xFFFFFFFF, key >> 32))
    return torch.from_numpy((((words[0] << np.uint64(32)) | words[1]) >> np.uint64(2)).astype(np.int64))


class GroupStats:
    """What is kept of one group's input, on the device the model runs on; moved to the CPU by tensors()."""

    def __init__(self, capacity):
        self.capacity, self.tokens, self.gram = capacity, 0, None

    def _start(self, x):
        like = {"device": x.device}
        k = x.shape[1]
        self.absmax = torch.zeros(k, **like)
        self.min, self.max = torch.full((k,), torch.inf, **like), torch.full((k,), -torch.inf, **like)
        self.sum = torch.zeros(k, dtype=torch.float64, **like)
        self.gram = torch.zeros(k, k, dtype=torch.float64, **like)
        self.reservoir = torch.zeros(0, k, **like)
        self.keys = torch.zeros(0, dtype=torch.int64, **like)

    def add(self, x, keys):
        if self.gram is None:
            self._start(x)
        keys = keys.to(x.device)
        self.tokens += x.shape[0]
        self.absmax = torch.maximum(self.absmax, x.abs().amax(0))
        self.min, self.max = torch.minimum(self.min, x.amin(0)), torch.maximum(self.max, x.amax(0))
        wide = x.double()
        self.sum += wide.sum(0)
        self.gram.addmm_(wide.t(), wide)
        keys = torch.cat((self.keys, keys))
        order = keys.argsort()[: self.capacity]
        self.reservoir = torch.cat((self.reservoir, x))[order]
        self.keys = keys[order]

    def tensors(self, name):
        out = {f"{name}.{field}": getattr(self, field).cpu().contiguous() for field in FIELDS[:-1]}
        out[f"{name}.tokens"] = torch.tensor([self.tokens, self.capacity])
        return out


class Capture:
    """Hooks one linear of every group of `groups_file` (from `svdlab inspect MODEL --groups`) in `model`.

    tokens: of each group in the reservoir. seed: of their choice. memory_gib: bound on what statistics take at once.
    Raises KeyError for a linear the model does not have, RuntimeError for a group no call reached, ValueError for
    an input that is not finite.
    """

    def __init__(self, model, groups_file, out, tokens=4096, seed=0, memory_gib=16.0):
        with open(groups_file) as f:
            described = json.load(f)
        self.fingerprint, self.groups = described["model_sha256"], described["groups"]
        self.out, self.tokens, self.seed, self.memory = out, tokens, seed, memory_gib * 2**30
        modules = dict(model.named_modules())
        missing = [m for members in self.groups.values() for m in members if m not in modules]
        if missing:
            raise KeyError(f"{len(missing)} linears of {groups_file} are not in the model, the first is {missing[0]}")
        self.modules = {group: modules[members[0]] for group, members in self.groups.items()}
        self.model, self.item, self.step, self.stats = model, None, -1, {}

    def start_item(self, name):
        self.item, self.step = name, -1

    def passes(self):
        """Yields once for each set of groups that fits; the caller runs all its prompts every time."""
        parts = []
        for i, names in enumerate(self._sets()):
            self.stats = {name: GroupStats(self.tokens) for name in names}
            hooks = [self.model.register_forward_pre_hook(self._next_step)]
            hooks += [self.modules[name].register_forward_pre_hook(self._observe(name)) for name in names]
            try:
                yield i
            finally:
                for hook in hooks:
                    hook.remove()
            parts.append(self._write_part(i))
        self._join(parts)

    def _sets(self):
        sets, used = [[]], 0
        for name, module in self.modules.items():
            k = module.weight.shape[1]
            need = 8 * k * k + 2 * 4 * self.tokens * k
            if sets[-1] and used + need > self.memory:
                sets.append([])
                used = 0
            sets[-1].append(name)
            used += need
        return sets

    def _next_step(self, module, args):
        self.step += 1

    def _observe(self, name):
        def hook(module, args):
            if self.item is None:
                raise RuntimeError("call start_item(name) before the model runs")
            x = args[0].detach().reshape(-1, args[0].shape[-1]).float()
            if not bool(torch.isfinite(x).all()):
                raise ValueError(f"the input of {name} is not finite in item {self.item}, step {self.step}")
            keys = token_keys(self.seed, f"{name}/{self.item}/{self.step}", x.shape[0])
            self.stats[name].add(x, keys)

        return hook

    def _write_part(self, i):
        silent = [name for name, s in self.stats.items() if s.tokens == 0]
        if silent:
            raise RuntimeError(f"{len(silent)} groups saw no token, the first is {silent[0]}")
        tensors = {}
        for name in list(self.stats):
            tensors.update(self.stats.pop(name).tensors(name))
        path = f"{self.out}.part{i}"
        save_file(tensors, path, metadata={"fingerprint": self.fingerprint})
        return path

    def _join(self, parts):
        """The parts as one file, copied piece by piece."""
        headers = [read_header(path) for path in parts]
        header, offset = {"__metadata__": {"fingerprint": self.fingerprint}}, 0
        for _, entries in headers:
            for name, entry in entries.items():
                header[name] = {**entry, "data_offsets": [offset + o for o in entry["data_offsets"]]}
            offset += max(entry["data_offsets"][1] for entry in entries.values())
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(f"{self.out}.tmp", "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            for path, (start, _) in zip(parts, headers):
                with open(path, "rb") as part:
                    part.seek(start)
                    shutil.copyfileobj(part, out, 1 << 24)
        os.replace(f"{self.out}.tmp", self.out)
        for path in parts:
            os.remove(path)


def read_header(path):
    """Where the data of a safetensors file start, and its entries."""
    with open(path, "rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        entries = json.loads(f.read(length))
    entries.pop("__metadata__", None)
    return 8 + length, entries
