#include "quant/codebook_quantizer.h"

#include "core/ir/quantize.h"

namespace svdlab {

QuantizedTensor CodebookQuantizer::quantize(const Tensor& w, const TensorScheme& scheme,
                                            const WeightContext&) const {
  if (!coding_) return quantize_to_codebook(w, scheme, levels_);
  TensorScheme own = scheme;
  own.scale = ScaleFormat::kFp32;
  own.two_level = false;
  own.scale_code_bits = coding_->bits;
  own.scale_group = coding_->group;
  QuantizedTensor q = quantize_to_codebook(w, own, levels_);
  q.scales = coded(q.scales, *coding_);
  encode(w, q);
  return q;
}

int read_code_bits(Fields& options, int fallback, int least) {
  const int64_t bits = options.integer("bits", fallback);
  SVDLAB_REQUIRE(bits >= least && bits <= 8, Errc::kConfig, options.where(), ": `", options.path_of("bits"),
                 "` must be ", least, " to 8, not ", bits);
  return static_cast<int>(bits);
}

}  // namespace svdlab
