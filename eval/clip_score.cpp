#include "eval/clip_score.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "eval/cosine.h"

namespace svdlab {

std::vector<double> clip_scores(const Tensor& images, const Tensor& texts) {
  SVDLAB_REQUIRE(images.dim() == 2 && images.numel() > 0 && images.sizes() == texts.sizes(), Errc::kInput,
                 "CLIP score of embeddings ", images.sizes(), " of pictures and ", texts.sizes(),
                 " of prompts; both are [n, D]");
  std::vector<double> out;
  for (int64_t i = 0; i < images.size(0); ++i) {
    const double similarity = cosine(images[i], texts[i]);
    SVDLAB_REQUIRE(std::isfinite(similarity), Errc::kInput, "CLIP score: the embeddings in row ", i,
                   " are not finite or 0");
    out.push_back(std::max(100 * similarity, 0.0));
  }
  return out;
}

}  // namespace svdlab
