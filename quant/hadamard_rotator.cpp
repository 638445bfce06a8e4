#include "core/base/error.h"
#include "core/base/rng.h"
#include "kernels/hadamard.h"
#include "quant/rotator.h"

namespace svdlab {
namespace {

// x diag(signs) H in blocks. Random signs keep a common direction of the channels (a mean, the constant
// behind GELU) from meeting H's constant column and becoming one large channel (QuIP#, arXiv 2402.04396;
// QuaRot, arXiv 2404.00456).
class HadamardRotator final : public Rotator {
 public:
  struct Options {
    int64_t block;
    bool signs;
    uint64_t seed;
  };
  explicit HadamardRotator(const Options& options) : options_(options) {}

  std::vector<OnlineStep> steps(std::span<const GroupProblem> problems, const Tensor&) const override {
    const GroupProblem& first = problems.front();
    const Tensor signs = options_.signs ? random_signs(first.channels()) : Tensor();
    std::vector<OnlineStep> out;
    for (const Segment& s : first.segments) {
      const int64_t size = block_of(s, options_.block, first);
      try {
        hadamard_plan(size);
      } catch (const Error& e) {
        throw Error(e.code(), concat(first.linear_names.front(), ": ", e.what()));
      }
      out.push_back(Hadamard{.begin = s.begin,
                             .end = s.end,
                             .size = size,
                             .signs = signs.defined() ? signs.slice(0, s.begin, s.end).clone() : signs});
    }
    return out;
  }

 private:
  Tensor random_signs(int64_t channels) const {
    const Rng rng(options_.seed, "hadamard-signs");
    Tensor signs = at::empty({channels}, at::kFloat);
    for (int64_t k = 0; k < channels; ++k)
      signs.data_ptr<float>()[k] = (rng.bits(static_cast<uint64_t>(k)) & 1) != 0 ? 1.0f : -1.0f;
    return signs;
  }

  Options options_;
};

}  // namespace

std::unique_ptr<Rotator> make_hadamard(Fields& options) {
  return std::make_unique<HadamardRotator>(HadamardRotator::Options{.block = read_block(options, 0),
                                                                    .signs = options.boolean("signs", true),
                                                                    .seed = read_rotation_seed(options)});
}

}  // namespace svdlab
