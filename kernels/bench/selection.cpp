#include "kernels/bench/selection.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/names.h"

namespace svdlab::bench {
namespace {

const std::vector<std::string> kKinds = {"copy", "gemm", "prologue", "linear", "branch", "small_m"};
const std::vector<std::string> kVariants = {"exact", "nvfp4", "int4",   "w8a8",
                                            "w4a8",  "w4a16", "mma_s4", "cublas"};

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A selection that names nothing of a group leaves it open.
bool admits(const Selection& selection, const std::vector<std::string>& group, const std::string& name) {
  const bool restricted = std::any_of(selection.only.begin(), selection.only.end(),
                                      [&](const std::string& n) { return holds(group, n); });
  return !restricted || holds(selection.only, name);
}

}  // namespace

void check_selection(const Selection& selection) {
  std::vector<std::string> known = kKinds;
  known.insert(known.end(), kVariants.begin(), kVariants.end());
  for (const std::string& name : selection.only)
    SVDLAB_REQUIRE(holds(known, name), Errc::kConfig, "no case is called \"", name, "\"; nearest: \"",
                   nearest(name, known), "\"");
}

bool is_selected_kind(const Selection& selection, const std::string& what) {
  return admits(selection, kKinds, what);
}

bool is_selected(const Selection& selection, const std::string& what, const std::string& variant) {
  return is_selected_kind(selection, what) &&
         admits(selection, kVariants, variant.substr(0, variant.find(' ')));
}

}  // namespace svdlab::bench
