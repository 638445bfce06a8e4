#include "core/ir/compressed.h"

#include "core/base/error.h"
#include "core/ir/quantize.h"
#include "core/runtime/kernel_stream.h"
#include "kernels/dequantize_matrix.h"

namespace svdlab {
namespace {

Tensor dense_rows(const SparseBranch& branch, int64_t columns) {
  const int64_t rows = branch.starts.size(0) - 1;
  const Tensor out = at::zeros({rows, columns}, at::kFloat);
  const int64_t *starts = branch.starts.data_ptr<int64_t>(), *column = branch.columns.data_ptr<int64_t>();
  for (int64_t n = 0; n < rows; ++n)
    for (int64_t i = starts[n]; i < starts[n + 1]; ++i)
      out.data_ptr<float>()[n * columns + column[i]] = branch.values.data_ptr<float>()[i];
  return out;
}

template <class T>
const T* first_branch(const std::vector<Branch>& branches) {
  for (const Branch& branch : branches)
    if (const T* found = std::get_if<T>(&branch)) return found;
  return nullptr;
}

Tensor dense(const LowBitBranch& branch, int64_t) { return dequantize(branch.weight); }
Tensor dense(const LowRankBranch& branch, int64_t) { return at::mm(branch.up, branch.down); }
Tensor dense(const SparseBranch& branch, int64_t columns) { return dense_rows(branch, columns); }
Tensor dense(const ColumnsBranch& branch, int64_t columns) {
  const Tensor out = at::zeros({branch.weight.size(0), columns}, at::kFloat);
  if (branch.threshold == 0) out.index_copy_(1, branch.columns, branch.weight);
  return out;
}
Tensor dense(const KroneckerBranch& branch, int64_t) {
  Tensor sum;
  for (int64_t k = 0; k < branch.left.size(0); ++k) {
    const Tensor term = at::kron(branch.left[k], branch.right[k]);
    sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

// What acts on the untransformed input.
constexpr bool sees_plain_input(const LowBitBranch&) { return false; }
constexpr bool sees_plain_input(const LowRankBranch&) { return false; }
template <class T>
constexpr bool sees_plain_input(const T&) {
  return true;
}

void check_shape(const std::string& name, const Tensor& part, int64_t rows, int64_t cols) {
  SVDLAB_REQUIRE(part.size(0) == rows && part.size(1) == cols, Errc::kInput, "compressed linear '", name,
                 "': a branch is ", part.sizes(), ", the linear [", rows, ", ", cols, "]");
}

}  // namespace

double QuantizedTensor::bits() const {
  return scheme.code_bits() * static_cast<double>(codes.numel()) +
         scheme.scale_bits() * static_cast<double>(scales.numel()) + (scheme.two_level ? 32.0 : 0.0) +
         (codebook.defined() ? 16.0 * static_cast<double>(codebook.numel()) : 0.0);
}

Tensor dequantize(const QuantizedTensor& q) {
  Tensor out = at::empty({q.rows(), q.cols()}, q.scales.options());
  dequantize_matrix(coded_matrix(q), nullptr, device_view<float>(out, "output"), kernel_stream(out.device()));
  return out;
}

int64_t CompressedLinear::out_features() const {
  if (!ranges.empty()) return ranges.front().linear.out_features();
  if (const LowBitBranch* branch = low_bit()) return branch->weight.rows();
  if (const LowRankBranch* branch = low_rank()) return branch->up.size(0);
  throw Error(Errc::kInput, concat("compressed linear '", name, "' has no branch"));
}

int64_t CompressedLinear::in_features() const {
  if (!ranges.empty()) return ranges.front().linear.in_features();
  if (const LowBitBranch* branch = low_bit()) return branch->weight.cols();
  if (const LowRankBranch* branch = low_rank()) return branch->down.size(1);
  throw Error(Errc::kInput, concat("compressed linear '", name, "' has no branch"));
}

const LowBitBranch* CompressedLinear::low_bit() const { return first_branch<LowBitBranch>(branches); }
const LowRankBranch* CompressedLinear::low_rank() const { return first_branch<LowRankBranch>(branches); }

Tensor CompressedLinear::effective_weight() const {
  SVDLAB_REQUIRE(ranges.empty(), Errc::kConfig, "linear '", name, "' has ", ranges.size(),
                 " weights, one for each range of timesteps; take that of a range");
  const int64_t rows = out_features(), cols = in_features();
  Tensor sum = at::zeros({rows, cols}, at::kFloat), plain;
  for (const Branch& branch : branches)
    std::visit(
        [&](const auto& b) {
          const bool is_plain = sees_plain_input(b);
          if (is_plain && !plain.defined()) plain = at::zeros({rows, cols}, at::kFloat);
          const Tensor part = dense(b, cols);
          check_shape(name, part, rows, cols);
          (is_plain ? plain : sum).add_(part);
        },
        branch);
  if (smooth.defined() && then.empty()) sum.div_(smooth);
  if (!then.empty()) sum = at::mm(sum, online().apply_linear(at::eye(cols)).t());
  return plain.defined() ? sum.add_(plain) : sum;
}

double CompressedLinear::bits() const {
  double sum = online().bits() / smooth_sharers;
  for (const Branch& branch : branches) sum += std::visit([](const auto& b) { return b.bits(); }, branch);
  for (const TimestepVariant& range : ranges) sum += range.linear.bits();
  return sum;
}

}  // namespace svdlab
