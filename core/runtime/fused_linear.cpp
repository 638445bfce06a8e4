#include "core/runtime/fused_linear.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/runtime/fused_factors.h"
#include "core/runtime/fused_support.h"
#include "core/runtime/half_view.h"
#include "core/runtime/kernel_stream.h"
#include "kernels/operand_checks.h"

namespace svdlab {
namespace {

at::TensorOptions on(at::Device device, at::ScalarType type) {
  return at::TensorOptions(type).device(device);
}

MatrixView<float> float_columns(const Tensor& t, int64_t begin, int64_t end) {
  if (begin == end) return {nullptr, t.size(0), 0, 0};
  return {t.data_ptr<float>() + begin, t.size(0), end - begin, t.stride(0)};
}

HalfMatrix half_columns(const Tensor& t, const Segment& s) {
  if (!t.defined() || t.size(0) == 0) return {};
  return half_view(t.slice(1, s.begin, s.end));
}

/// The columns of one segment of all codes.
PackedOutput columns_of(const PackedOutput& all, const Segment& s) {
  PackedOutput out = all;
  out.cols = s.size();
  out.group = std::min(all.group, s.size());
  out.codes += all.layout == CodeLayout::kNibbles ? s.begin / 2 : s.begin;
  const int64_t groups = s.begin / all.group;
  out.scales += groups * scale_size(all.scale) * (scales_are_group_major(all.scale) ? all.scale_stride : 1);
  return out;
}

PackedMatrix with_unsigned(const PackedOutput& codes, int64_t unsigned_from) {
  PackedMatrix out = codes;
  out.unsigned_from = unsigned_from;
  return out;
}

}  // namespace

FusedLinear::FusedLinear(const std::vector<Members>& products, const FusedOptions& options)
    : device_(options.device) {
  SVDLAB_REQUIRE(!products.empty() && !products[0].empty(), Errc::kUnexpected, "fused linear: no members");
  const CompressedLinear& first = *products[0][0];
  for (const Members& members : products)
    for (const CompressedLinear* m : members) {
      std::string refused = why_not_fused(*m, options.architecture);
      if (refused.empty()) refused = why_not_shared(first, *m);
      SVDLAB_REQUIRE(refused.empty(), Errc::kConfig, m->name, ": ", refused);
    }
  const LowBitBranch& branch = *first.low_bit();
  scheme_ = *branch.activations;
  segments_ = branch.segments;
  columns_ = first.in_features();
  if (first.smooth.defined()) divide_by_ = first.smooth.to(on(device_, at::kFloat)).contiguous();
  loop_ = *choose_main_loop(fused_problem({&first}, EpilogueKind::kPlain), options.architecture).chosen;
  std::vector<Tensor> downs;
  for (const Members& members : products) products_.push_back(product_of(members, downs));
  int64_t rank = 0;
  for (Product& p : products_) {
    p.rank_begin = rank;
    rank += p.rank();
  }
  SVDLAB_REQUIRE(rank <= kMaxRank, Errc::kConfig, first.name, ": ranks of all products add up to ", rank,
                 ", kernels take up to ", kMaxRank);
  set_down(at::cat(downs), options.two_part_down);
}

FusedLinear::Product FusedLinear::product_of(const Members& members, std::vector<Tensor>& downs) const {
  std::vector<const QuantizedTensor*> weights;
  for (const CompressedLinear* m : members) weights.push_back(&m->low_bit()->weight);
  QuantizedTensor all = stacked_rows(weights);
  Product out;
  if (std::any_of(weights.begin(), weights.end(),
                  [&](const auto* w) { return w->tensor_scale != all.tensor_scale; })) {
    out.channel_scale = tensor_scales(weights).to(device_);
    all.tensor_scale = 1.0f;
  }
  out.weight = pack_weight(all, layouts_of(loop_, all.scheme.format).weights, device_);
  const Tensor bias = fused_bias(members, device_);
  if (bias.defined()) out.bias = bias.contiguous();
  const StackedFactors factors = stacked_factors(members, fused_rank(members));
  out.up = factors.up.to(on(device_, at::kBFloat16)).contiguous();
  downs.push_back(factors.down.to(on(device_, at::kFloat)));
  return out;
}

void FusedLinear::set_down(const Tensor& down, bool two_parts) {
  const Tensor folded = divide_by_.defined() ? down.to(at::kDouble) / divide_by_.to(at::kDouble) : down;
  down_ = folded.to(at::kBFloat16).contiguous();
  const Tensor rest = folded.to(at::kDouble) - down_.to(at::kDouble);
  if (two_parts && rest.count_nonzero().item<int64_t>() > 0) down_low_ = rest.to(at::kBFloat16).contiguous();
}

PackedOutput FusedLinear::empty_codes(int64_t rows, FusedInput& input) const {
  const QuantizeSpec spec = fused_spec(scheme_, {0, columns_, Producer::kInput}, columns_);
  const CodeLayout layout = layouts_of(loop_, products_[0].weight.shape.format).activations;
  PackedOutput out{.format = spec.format,
                   .layout = layout,
                   .scale = spec.scale,
                   .rows = rows,
                   .cols = columns_,
                   .group = spec.group};
  out.code_stride = packed_code_stride(layout, columns_);
  out.scale_stride = packed_scale_stride(spec.scale, rows, out.groups());
  input.memory[0] = at::empty({packed_code_bytes(layout, rows, columns_)}, on(device_, at::kByte));
  input.memory[1] = at::empty({packed_scale_bytes(spec.scale, rows, out.groups())}, on(device_, at::kByte));
  out.codes = input.memory[0].data_ptr<uint8_t>();
  out.scales = input.memory[1].data_ptr<uint8_t>();
  if (loop_ == MainLoop::kExact) {
    input.memory[2] = at::empty({rows}, on(device_, at::kFloat));
    out.row_powers = input.memory[2].data_ptr<float>();
  }
  return out;
}

void FusedLinear::quantize_columns(const FusedSource& source, const Segment& segment, const PackedOutput& all,
                                   const FusedInput& input) const {
  const QuantizeSpec spec = fused_spec(scheme_, segment, segment.size());
  QuantizeFuseDown op{.x = half_view(source.x), .step = source.step};
  if (source.step == InputStep::kLayerNormModulate)
    op.modulation = {reinterpret_cast<const uint16_t*>(source.scale.data_ptr<at::BFloat16>()),
                     reinterpret_cast<const uint16_t*>(source.shift.data_ptr<at::BFloat16>()),
                     static_cast<float>(source.epsilon)};
  op.target = {.divide_by = divide_by_.defined() ? float_data(divide_by_) + segment.begin : nullptr,
               .spec = spec,
               .down = half_columns(down_, segment),
               .down_low = half_columns(down_low_, segment),
               .codes = columns_of(all, segment),
               .low_rank = float_columns(input.low_rank, 0, input.low_rank.size(1))};
  op.target.codes.unsigned_from = spec.format == NumberFormat::kUint4 ? 0 : -1;
  op.continues = segment.begin > 0;
  const Device device = device_.is_cpu() ? Device::kCpu : Device::kCuda;
  const KernelScratch scratch(device_, quantize_fuse_down_workspace(op, device));
  quantize_fuse_down(op, scratch.stream());
}

FusedInput FusedLinear::quantize(const std::vector<FusedSource>& sources) const {
  SVDLAB_REQUIRE(sources.size() == 1 || sources.size() == segments_.size(), Errc::kUnexpected,
                 "fused linear: ", sources.size(), " sources for ", segments_.size(), " segments");
  FusedInput input;
  const int64_t rows = sources[0].x.size(0);
  const PackedOutput all = empty_codes(rows, input);
  input.low_rank = at::empty({rows, down_.size(0)}, on(device_, at::kFloat));
  int64_t unsigned_from = -1;
  const auto shifted = [&](const Segment& s) {
    return fused_spec(scheme_, s, s.size()).format == NumberFormat::kUint4;
  };
  for (const Segment& s : segments_)
    if (unsigned_from < 0 && shifted(s)) unsigned_from = s.begin;
  const bool whole = sources.size() == 1 && (segments_.size() == 1 || unsigned_from < 0);
  for (size_t i = 0; i < (whole ? 1 : segments_.size()); ++i) {
    Segment s = segments_[i];
    if (whole) s.end = columns_;
    FusedSource source = sources[sources.size() == 1 ? 0 : i];
    SVDLAB_REQUIRE(
        source.x.size(0) == rows && source.x.size(1) == (sources.size() == 1 ? columns_ : s.size()),
        Errc::kInput, "fused linear: source ", i, " is ", source.x.sizes(), ", must have ", rows,
        " rows for columns [", s.begin, ", ", s.end, ") of ", columns_);
    if (!whole && sources.size() == 1) source.x = source.x.slice(1, s.begin, s.end);
    quantize_columns(source, s, all, input);
  }
  input.codes = with_unsigned(all, unsigned_from);
  return input;
}

Tensor FusedLinear::multiply(size_t product, const FusedInput& input, Tensor out,
                             const FusedHeads* heads) const {
  const Product& p = products_.at(product);
  if (!out.defined()) out = at::empty({input.codes.rows, p.weight.shape.rows}, on(device_, at::kBFloat16));
  GemmQuantized op{.a = input.codes,
                   .w = p.weight.view(),
                   .channel_scale = float_data(p.channel_scale),
                   .bias = float_data(p.bias),
                   .low_rank = float_columns(input.low_rank, p.rank_begin, p.rank_begin + p.rank()),
                   .up = p.rank() > 0 ? HalfMatrix(half_view(p.up)) : HalfMatrix{},
                   .out = half_view(out),
                   .main_loop = loop_};
  NormRope norm_rope;
  if (heads != nullptr) {
    const Tensor& t = heads->table;
    norm_rope = {heads->heads,
                 heads->head_dim,
                 float_data(heads->query_weight),
                 float_data(heads->key_weight),
                 static_cast<float>(heads->epsilon),
                 {t.data_ptr<float>(), t.size(0), heads->head_dim, t.stride(0)}};
    op.norm_rope = &norm_rope;
  }
  const Device device = device_.is_cpu() ? Device::kCpu : Device::kCuda;
  const KernelScratch scratch(device_, gemm_quantized_workspace(op, device));
  gemm_quantized(op, scratch.stream());
  return out;
}

int64_t FusedLinear::bytes() const {
  const auto size = [](const Tensor& t) { return t.defined() ? t.numel() * t.element_size() : 0; };
  int64_t out = size(divide_by_) + size(down_) + size(down_low_);
  for (const Product& p : products_)
    out += p.weight.bytes() + size(p.channel_scale) + size(p.bias) + size(p.up);
  return out;
}

}  // namespace svdlab
