#include "experiments/sampling/layout.h"

#include "core/base/error.h"

namespace svdlab {

PictureLayout::PictureLayout(const std::string& out, const std::string& benchmark, size_t items)
    : flat_(false) {
  const std::string samples = out + "/samples/", count = concat("-", items);
  if (benchmark.ends_with(".yaml") && benchmark.size() > 5) {
    const std::string file = benchmark.substr(benchmark.rfind('/') + 1);
    folder_ = samples + "YAML/" + file.substr(0, file.size() - 5) + count;
    suffix_ = "-0";  // the first picture of the prompt
    prompts_file_ = out + "/" + file;
    return;
  }
  SVDLAB_REQUIRE(benchmark == "MJHQ" || benchmark == "DCI", Errc::kConfig, "--benchmark ",
                 benchmark.empty() ? "is missing" : benchmark, "; it is MJHQ, DCI or a file <name>.yaml");
  folder_ = samples + (benchmark == "MJHQ" ? "MJHQ/MJHQ" : "DCI/sDCI") + count;
}

}  // namespace svdlab
