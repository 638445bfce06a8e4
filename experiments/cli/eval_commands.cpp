#include "experiments/cli/eval_commands.h"

#include <algorithm>
#include <filesystem>

#include "core/base/error.h"

namespace svdlab {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// Links every pair into $stage/ref and $stage/gen.
std::string staging(const PicturePairs& pairs) {
  return concat("# the folders hold more than the ", pairs.names.size(),
                " pairs; these programs read whole folders, so link the pairs alone\n"
                "ref=",
                quoted(pairs.reference), " gen=", quoted(pairs.candidate),
                " stage=$(mktemp -d)\n"
                "mkdir \"$stage/ref\" \"$stage/gen\"\n"
                "for f in \"$ref\"/*.png; do\n"
                "  n=${f##*/}\n"
                "  if [ \"$n\" != grid.png ] && [ -f \"$gen/$n\" ]; then\n"
                "    ln -s \"$(realpath \"$f\")\" \"$stage/ref/$n\"\n"
                "    ln -s \"$(realpath \"$gen/$n\")\" \"$stage/gen/$n\"\n"
                "  fi\n"
                "done\n");
}

constexpr const char* kCleanFid = R"(<<'EOF'
import sys
from cleanfid import fid
ref, gen = sys.argv[1:]
print("clean-fid", fid.compute_fid(ref, gen), "clean-kid", fid.compute_kid(ref, gen))
EOF
)";

constexpr const char* kLpips = R"(<<'EOF'
import os, sys
import lpips, numpy, PIL.Image
ref, gen = sys.argv[1:]
def read(folder, name):
    return lpips.im2tensor(numpy.asarray(PIL.Image.open(os.path.join(folder, name)).convert("RGB")))
names = sorted(n for n in os.listdir(ref) if n.endswith(".png"))
for net in ("alex", "squeeze"):
    model = lpips.LPIPS(net=net, version="0.1")
    print("lpips", net, numpy.mean([model(read(ref, n), read(gen, n)).item() for n in names]))
EOF
)";

constexpr const char* kTorchmetrics = R"(<<'EOF'
import os, sys
import numpy, PIL.Image, torch
from torchmetrics.functional.image import (multiscale_structural_similarity_index_measure, peak_signal_noise_ratio,
                                           structural_similarity_index_measure)
ref, gen = sys.argv[1:]
def read(folder, name):
    pixels = numpy.asarray(PIL.Image.open(os.path.join(folder, name)).convert("RGB"), dtype=numpy.float64)
    return torch.tensor(pixels).permute(2, 0, 1)[None]
pairs = [(read(gen, n), read(ref, n)) for n in sorted(os.listdir(ref)) if n.endswith(".png")]
metrics = {"psnr_mean": peak_signal_noise_ratio, "ssim_tm": structural_similarity_index_measure}
if min(min(a.shape[2:]) for a, _ in pairs) >= 176:
    metrics["ms_ssim"] = multiscale_structural_similarity_index_measure
for name, metric in metrics.items():
    print(name, numpy.mean([metric(a, b, data_range=255.0).item() for a, b in pairs]))
EOF
)";

// What of a path DeepCompressor's evaluation made: <root>/samples/<benchmark>/<name>-<n>.
struct SampleFolder {
  std::string root, benchmark, name, n;
};

SampleFolder sample_folder(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(path + "/.").lexically_normal().parent_path(),
                 above = folder.parent_path();
  const std::string last = folder.filename().string();
  const size_t dash = last.rfind('-');
  if (above.parent_path().filename() != "samples" || dash == std::string::npos) return {};
  const fs::path root = above.parent_path().parent_path();
  return {root.empty() ? "." : root.string(), above.filename().string(), last.substr(0, dash),
          last.substr(dash + 1)};
}

constexpr const char* kDeepCompressor = R"(<<'EOF'
import sys
from deepcompressor.app.diffusion.eval.metrics.similarity import compute_image_similarity_metrics
ref, gen = sys.argv[1:]
print(compute_image_similarity_metrics(ref, gen, metrics=("psnr", "lpips", "ssim")))
EOF
)";

constexpr const char* kDeepCompressorAll = R"(<<'EOF'
import sys
from deepcompressor.app.diffusion.eval.metrics import compute_image_metrics
ref, gen, benchmark, n = sys.argv[1:]
print(compute_image_metrics(gen, (benchmark,), max_dataset_size=int(n), ref_root=ref,
                            gt_metrics=("clip_iqa", "clip_score", "image_reward", "fid"),
                            ref_metrics=("psnr", "lpips", "ssim", "fid")))
EOF
)";

// DeepCompressor's own metrics; with prompts and ground truth where both folders are of its benchmark.
std::string deepcompressor(const PicturePairs& pairs, const std::string& ref, const std::string& gen) {
  std::string out = concat(
      "\n# DeepCompressor (github.com/mit-han-lab/deepcompressor): PSNR, LPIPS, SSIM\n"
      "python3 - ",
      ref, " ", gen, " ", kDeepCompressor);
  const SampleFolder a = sample_folder(pairs.reference), b = sample_folder(pairs.candidate);
  const bool benchmark = (b.benchmark == "MJHQ" || b.benchmark == "DCI") && a.benchmark == b.benchmark &&
                         a.name == b.name && a.n == b.n;
  if (benchmark)
    out += concat("# the same, FID, CLIP-IQA, CLIP score and ImageReward over its prompts\npython3 - ",
                  quoted(a.root), " ", quoted(b.root), " ", b.benchmark, " ", quoted(b.n), " ",
                  kDeepCompressorAll);
  return out;
}

}  // namespace

std::string other_programs(const PicturePairs& pairs) {
  const std::string ref = pairs.more_in_folders ? "\"$stage/ref\"" : quoted(pairs.reference);
  const std::string gen = pairs.more_in_folders ? "\"$stage/gen\"" : quoted(pairs.candidate);
  const auto python = [&](const char* script) { return "python3 - " + ref + " " + gen + " " + script; };
  const size_t subset = std::min<size_t>(pairs.names.size(), 1000);
  return concat(
      "# pip install pytorch-fid==0.3.0 clean-fid==0.1.35 torch-fidelity==0.4.0 lpips==0.1.4 torchmetrics\n",
      pairs.more_in_folders ? staging(pairs) : "",
      "\n# Frechet distance over Inception-v3 pool3, n = ", pairs.names.size(), "\npytorch-fid ", ref, " ",
      gen, "\n\n# the same and KID after an antialiased resize\n", python(kCleanFid),
      "\n# Frechet distance, KID, precision and recall; for KID the sets should be independent: pairs make "
      "it too low\nfidelity --fid --kid --prc --kid-subset-size ",
      subset, " --input1 ", gen, " --input2 ", ref, "\n\n# LPIPS 0.1, mean over pictures\n", python(kLpips),
      "\n# PSNR, SSIM, MS-SSIM, mean over pictures\n", python(kTorchmetrics),
      deepcompressor(pairs, ref, gen));
}

}  // namespace svdlab
