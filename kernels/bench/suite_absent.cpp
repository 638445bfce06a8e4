// The benchmarks of a build without CUDA.
#include "core/base/error.h"
#include "kernels/bench/suite.h"

namespace svdlab::bench {
namespace {

[[noreturn]] void unsupported() {
  throw Error(Errc::kConfig,
              "unsupported: benchmarks of GPU kernels, built without CUDA; configure with -DSVDLAB_CUDA=on");
}

}  // namespace

void run_suite(const Selection& selection, const std::function<void(const Measurement&)>&) {
  check_selection(selection);
  unsupported();
}
bool exact_tilings_agree() { unsupported(); }

}  // namespace svdlab::bench
