#include "core/io/safetensors_torch.h"

#include <utility>

namespace svdlab {
namespace {

constexpr std::pair<StDtype, at::ScalarType> kShared[] = {
    {StDtype::kBool, at::kBool}, {StDtype::kU8, at::kByte},          {StDtype::kI8, at::kChar},
    {StDtype::kI16, at::kShort}, {StDtype::kF16, at::kHalf},         {StDtype::kBf16, at::kBFloat16},
    {StDtype::kI32, at::kInt},   {StDtype::kF32, at::kFloat},        {StDtype::kF64, at::kDouble},
    {StDtype::kI64, at::kLong},  {StDtype::kC64, at::kComplexFloat},
};

}  // namespace

std::optional<at::ScalarType> torch_dtype(StDtype dtype) {
  for (const auto& [ours, torch] : kShared)
    if (ours == dtype) return torch;
  return {};
}

std::optional<StDtype> dtype_of(at::ScalarType type) {
  for (const auto& [ours, torch] : kShared)
    if (torch == type) return ours;
  return {};
}

}  // namespace svdlab
