#include <cmath>
#include <vector>

#include "quant/codebook_quantizer.h"
#include "quant/codebooks.h"

namespace svdlab {

Tensor post_levels(int bits) {
  const int above = (1 << (bits - 1)) - 1;
  std::vector<float> levels(2 * above + 1);
  for (int k = 0; k < above; ++k) {
    levels[2 * above - k] = static_cast<float>(std::exp2(-0.5 * k));
    levels[k] = -levels[2 * above - k];
  }
  return at::tensor(levels);
}

std::unique_ptr<WeightQuantizer> make_post(Fields& options) {
  return std::make_unique<CodebookQuantizer>(post_levels(read_code_bits(options, 4, 2)));
}

}  // namespace svdlab
