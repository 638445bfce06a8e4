#include "core/io/nunchaku_tensors.h"

#include <algorithm>
#include <numeric>

#include "core/base/error.h"
#include "core/io/exported_tensor.h"
#include "core/io/nunchaku_layout.h"

namespace svdlab {
namespace {

constexpr int64_t kMicroGroup = 16, kGroup = 64;

// A vector over rows or columns, as a matrix [n, 1] of whole tiles.
StWrite vector_tensor(const std::string& name, const Tensor& values, double padding) {
  const Tensor column = padded(values.unsqueeze(1), kNunchakuRows, 1, padding).to(at::kBFloat16);
  return {.name = name, .tensor = pack_nunchaku_rows(column).view({-1})};
}

Tensor read_vector(const SafetensorsFile& file, const std::string& name, int64_t n) {
  const int64_t stored = round_up(n, kNunchakuRows);
  const Tensor packed = checked_tensor(file, name, StDtype::kBf16, {stored}).view({1, stored});
  return unpack_nunchaku_rows(packed.contiguous()).view({-1}).slice(0, 0, n).to(at::kFloat);
}

StWrite scales_tensor(const std::string& name, const NunchakuW4A4& module) {
  if (module.precision == NunchakuPrecision::kNvfp4)
    return e4m3_tensor(name, pack_nunchaku_micro_scales(e4m3_bits(
                                 padded(module.scales, kNunchakuRows, kNunchakuColumns / kMicroGroup, 1))));
  const Tensor scales = padded(module.scales, kNunchakuRows, kNunchakuColumns / kGroup, 1);
  return {.name = name, .tensor = pack_nunchaku_rows(scales.to(at::kBFloat16))};
}

Tensor read_scales(const SafetensorsFile& file, const std::string& name, NunchakuPrecision precision,
                   int64_t stored_rows, int64_t stored_columns) {
  if (precision == NunchakuPrecision::kNvfp4) {
    const Tensor packed =
        checked_tensor(file, name, StDtype::kF8E4M3, {stored_columns / kMicroGroup, stored_rows});
    return e4m3_values(unpack_nunchaku_micro_scales(packed), file.path() + ": " + name);
  }
  return unpack_nunchaku_rows(
             checked_tensor(file, name, StDtype::kBf16, {stored_columns / kGroup, stored_rows}))
      .to(at::kFloat);
}

Tensor cut(const Tensor& t, int64_t rows, int64_t columns) {
  return t.slice(0, 0, rows).slice(1, 0, columns).contiguous();
}

// [N / chunks, chunks] from [chunks, N / chunks] and back; any further axis stays.
Tensor interleaved(const Tensor& rows, int64_t chunks) {
  if (chunks == 0) return rows;
  return rows.view({chunks, rows.size(0) / chunks, -1}).transpose(0, 1).reshape(rows.sizes());
}
Tensor grouped(const Tensor& rows, int64_t chunks) {
  return chunks == 0 ? rows : interleaved(rows, rows.size(0) / chunks);
}

// What is added to the bias: 1 in the chunks that scale.
Tensor one_in_scales(int64_t rows, int64_t chunks) {
  Tensor one = at::zeros({rows});
  if (chunks > 0)
    for (const int64_t chunk : {int64_t{1}, chunks - 2}) one.view({chunks, -1})[chunk].fill_(1);
  return one;
}

const QuantizedTensor& checked_w4a16(const CompressedLinear& linear, int64_t chunks) {
  const LowBitBranch* branch = linear.low_bit();
  const Scheme& scheme = scheme_named("w4a16-int4-g64");
  SVDLAB_REQUIRE(branch && branch->weight.scheme == *scheme.weights && !branch->activations, Errc::kConfig,
                 "linear ", linear.name, " is not W4A16 int4 in groups of 64: quantize it with scheme ",
                 scheme.name);
  SVDLAB_REQUIRE(linear.branches.size() == 1 && !linear.smooth.defined(), Errc::kConfig, "linear ",
                 linear.name,
                 " has a smoothing vector or low-rank branch, which Nunchaku's W4A16 cannot "
                 "hold: quantize it with method rtn or gptq");
  const int64_t multiple = std::lcm<int64_t>(4, std::max<int64_t>(chunks, 1));
  SVDLAB_REQUIRE(linear.out_features() % multiple == 0, Errc::kConfig, "linear ", linear.name, " has ",
                 linear.out_features(), " rows; Nunchaku's W4A16 needs a multiple of ", multiple);
  return branch->weight;
}

}  // namespace

void append_w4a4(const std::string& prefix, const NunchakuW4A4& module, int64_t rank,
                 const NunchakuKeys& keys, std::vector<StWrite>& tensors) {
  SVDLAB_REQUIRE(rank % kNunchakuRank == 0 && rank >= module.down.size(0), Errc::kUnexpected, prefix,
                 ": rank ", module.down.size(0), " does not fit into ", rank);
  const auto add = [&](StWrite item) { tensors.push_back(std::move(item)); };
  const auto name = [&](const char* key) { return prefix + "." + key; };
  add({.name = name("qweight"),
       .tensor = pack_nunchaku_codes(padded(module.codes, kNunchakuRows, kNunchakuColumns, 0))});
  if (module.bias.defined()) add(vector_tensor(name("bias"), module.bias, 0));
  add(scales_tensor(name("wscales"), module));
  add(vector_tensor(name(keys.smooth), module.smooth, 1));
  if (keys.smooth_orig) add(vector_tensor(name(keys.smooth_orig), module.smooth, 1));
  add({.name = name(keys.down),
       .tensor = pack_nunchaku_down(
           enlarged(module.down, rank, round_up(module.columns(), kNunchakuColumns), 0).to(at::kBFloat16))});
  add({.name = name(keys.up),
       .tensor = pack_nunchaku_up(
           enlarged(module.up, round_up(module.rows(), kNunchakuRows), rank, 0).to(at::kBFloat16))});
  if (module.precision == NunchakuPrecision::kNvfp4) {
    add(vector_tensor(name("wcscales"), module.row_scales, 1));
    add({.name = name("wtscale"), .tensor = at::full({1}, module.tensor_scale)});
  }
}

NunchakuW4A4 read_w4a4(const SafetensorsFile& file, const std::string& prefix, int64_t rows, int64_t columns,
                       const NunchakuKeys& keys) {
  const auto name = [&](const char* key) { return prefix + "." + key; };
  const int64_t n = round_up(rows, kNunchakuRows), k = round_up(columns, kNunchakuColumns);
  NunchakuW4A4 out;
  out.precision = has_tensor(file, name("wtscale")) ? NunchakuPrecision::kNvfp4 : NunchakuPrecision::kInt4;
  const int64_t group = out.precision == NunchakuPrecision::kNvfp4 ? kMicroGroup : kGroup;
  out.codes = cut(unpack_nunchaku_codes(checked_tensor(file, name("qweight"), StDtype::kI8, {n, k / 2})),
                  rows, columns);
  out.scales = cut(read_scales(file, name("wscales"), out.precision, n, k), rows, columns / group);
  if (has_tensor(file, name("bias"))) out.bias = read_vector(file, name("bias"), rows);
  out.smooth = read_vector(file, name(keys.smooth), columns);
  const auto down = file.entries().find(name(keys.down));
  const int64_t rank =
      down != file.entries().end() && down->second.shape.size() == 2 ? down->second.shape[1] : 0;
  SVDLAB_REQUIRE(rank > 0 && rank % kNunchakuRank == 0, Errc::kInput, file.path(), ": tensor ",
                 printable(name(keys.down)), " is missing or its rank is no multiple of ", kNunchakuRank);
  out.down = unpack_nunchaku_down(checked_tensor(file, name(keys.down), StDtype::kBf16, {k, rank}))
                 .slice(1, 0, columns)
                 .to(at::kFloat);
  out.up = unpack_nunchaku_up(checked_tensor(file, name(keys.up), StDtype::kBf16, {n, rank}))
               .slice(0, 0, rows)
               .to(at::kFloat);
  if (out.precision == NunchakuPrecision::kNvfp4) {
    out.row_scales = read_vector(file, name("wcscales"), rows);
    out.tensor_scale = checked_tensor(file, name("wtscale"), StDtype::kF32, {1}).item<float>();
  }
  return out;
}

void append_awq(const std::string& prefix, const CompressedLinear& linear, int64_t chunks,
                std::vector<StWrite>& tensors) {
  const QuantizedTensor& q = checked_w4a16(linear, chunks);
  const Tensor scales = interleaved(q.scales, chunks).t();
  // Two's complement -8..7 plus 8.
  const Tensor codes = interleaved(q.codes, chunks).bitwise_xor(8);
  tensors.push_back({.name = prefix + ".qweight", .tensor = pack_awq_codes(codes.contiguous())});
  tensors.push_back(bf16_tensor(prefix + ".wscales", scales));
  tensors.push_back(bf16_tensor(prefix + ".wzeros", scales * -8));
  if (linear.bias.defined() || chunks > 0) {
    const Tensor bias = linear.bias.defined() ? linear.bias : at::zeros({linear.out_features()});
    const Tensor shifted = bias + one_in_scales(bias.size(0), chunks);
    tensors.push_back(bf16_tensor(prefix + ".bias", interleaved(shifted, chunks)));
  }
}

CompressedLinear read_awq(const SafetensorsFile& file, const std::string& prefix, const std::string& name,
                          int64_t rows, int64_t columns, int64_t chunks) {
  const Tensor packed = checked_tensor(file, prefix + ".qweight", StDtype::kI32, {rows / 4, columns / 2});
  const std::vector<int64_t> shape = {columns / kGroup, rows};
  const Tensor scales = checked_tensor(file, prefix + ".wscales", StDtype::kBf16, shape).to(at::kFloat);
  const Tensor zeros = checked_tensor(file, prefix + ".wzeros", StDtype::kBf16, shape).to(at::kFloat);
  SVDLAB_REQUIRE(zeros.equal(scales * -8), Errc::kInput, file.path(), ": tensor ",
                 printable(prefix + ".wzeros"), " is not -8 times the scales");
  LowBitBranch branch{.weight = {.scheme = *scheme_named("w4a16-int4-g64").weights,
                                 .codes = grouped(unpack_awq_codes(packed).bitwise_xor(8), chunks),
                                 .scales = grouped(scales.t().contiguous(), chunks)},
                      .segments = {{0, columns, Producer::kSilu}}};
  CompressedLinear out{.name = name};
  if (has_tensor(file, prefix + ".bias")) {
    const Tensor bias = checked_tensor(file, prefix + ".bias", StDtype::kBf16, {rows}).to(at::kFloat);
    out.bias = grouped(bias, chunks) - one_in_scales(rows, chunks);
  }
  out.branches.emplace_back(std::move(branch));
  return out;
}

}  // namespace svdlab
