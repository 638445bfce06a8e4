#include "core/ir/compressed.h"

#include "core/base/error.h"
#include "core/ir/quantize.h"
#include "kernels/dequantize_matrix.h"

namespace svdlab {
namespace {

template <class T>
const T* first_branch(const std::vector<Branch>& branches) {
  for (const Branch& branch : branches)
    if (const T* found = std::get_if<T>(&branch)) return found;
  return nullptr;
}

Tensor dense(const LowBitBranch& branch) { return dequantize(branch.weight); }
Tensor dense(const LowRankBranch& branch) { return at::mm(branch.up, branch.down); }

}  // namespace

double QuantizedTensor::bits() const {
  return scheme.code_bits() * static_cast<double>(codes.numel()) +
         scheme.scale_bits() * static_cast<double>(scales.numel()) + (scheme.two_level ? 32.0 : 0.0);
}

Tensor dequantize(const QuantizedTensor& q) {
  Tensor out = at::empty({q.rows(), q.cols()}, at::kFloat);
  dequantize_matrix(coded_matrix(q), nullptr, matrix_view<float>(out, "output"));
  return out;
}

int64_t CompressedLinear::out_features() const {
  if (const LowBitBranch* branch = low_bit()) return branch->weight.rows();
  if (const LowRankBranch* branch = low_rank()) return branch->up.size(0);
  throw Error(Errc::kInput, concat("compressed linear '", name, "' has no branch"));
}

int64_t CompressedLinear::in_features() const {
  if (const LowBitBranch* branch = low_bit()) return branch->weight.cols();
  if (const LowRankBranch* branch = low_rank()) return branch->down.size(1);
  throw Error(Errc::kInput, concat("compressed linear '", name, "' has no branch"));
}

const LowBitBranch* CompressedLinear::low_bit() const { return first_branch<LowBitBranch>(branches); }
const LowRankBranch* CompressedLinear::low_rank() const { return first_branch<LowRankBranch>(branches); }

Tensor CompressedLinear::effective_weight() const {
  Tensor sum = at::zeros({out_features(), in_features()}, at::kFloat);
  for (const Branch& branch : branches) sum.add_(std::visit([](const auto& b) { return dense(b); }, branch));
  return smooth.defined() ? sum.div_(smooth) : sum;
}

double CompressedLinear::bits() const {
  double sum = smooth.defined() ? 16.0 * static_cast<double>(smooth.numel()) / smooth_sharers : 0.0;
  for (const Branch& branch : branches) sum += std::visit([](const auto& b) { return b.bits(); }, branch);
  return sum;
}

}  // namespace svdlab
