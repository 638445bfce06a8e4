#include "quant/transform.h"

namespace svdlab {
namespace {

class NoTransform final : public Transform {
 public:
  TransformFit fit(std::span<const GroupProblem>, const TransformScore&) const override { return {}; }
  bool needs_stats() const override { return false; }
};

}  // namespace

std::unique_ptr<Transform> make_no_transform(Fields&) { return std::make_unique<NoTransform>(); }

}  // namespace svdlab
