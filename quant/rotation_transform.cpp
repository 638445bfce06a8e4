#include "quant/rotation_transform.h"

namespace svdlab {
namespace {

class RotationTransform final : public Transform {
 public:
  explicit RotationTransform(std::unique_ptr<Rotator> rotator) : rotator_(std::move(rotator)) {}
  TransformFit fit(std::span<const GroupProblem> problems, const TransformScore&) const override {
    return {OnlineTransform({}, rotator_->steps(problems, {})), {}};
  }
  bool needs_stats() const override { return rotator_->needs_stats(); }

 private:
  std::unique_ptr<Rotator> rotator_;
};

}  // namespace

std::unique_ptr<Transform> make_rotation(std::unique_ptr<Rotator> rotator) {
  return std::make_unique<RotationTransform>(std::move(rotator));
}

}  // namespace svdlab
