#include "core/base/error.h"
#include "core/base/names.h"
#include "core/io/compressed_unit.h"
#include "core/io/scheme_value.h"
#include "core/io/stored_tensor.h"

namespace svdlab {
namespace {

constexpr int64_t kMaxSize = int64_t{1} << 31;

int64_t size_of(Fields& f, const std::string& key, int64_t least = 1) {
  const int64_t n = f.integer(key, -1);
  SVDLAB_REQUIRE(n >= least && n < kMaxSize, Errc::kConfig, f.where(), ": `", f.path_of(key),
                 "` must be in [", least, ", ", kMaxSize, "), not ", n);
  return n;
}

Producer producer_named(const std::string& name, const std::string& where) {
  std::vector<std::string> names;
  for (const Producer p : {Producer::kInput, Producer::kSilu, Producer::kModulate, Producer::kAttention,
                           Producer::kGelu, Producer::kConcat}) {
    names.push_back(to_string(p));
    if (names.back() == name) return p;
  }
  throw Error(Errc::kConfig,
              concat(where, ": unknown producer \"", name, "\"; nearest: \"", nearest(name, names), "\""));
}

std::vector<Segment> read_segments(Fields& f, int64_t in_features) {
  std::vector<Segment> out;
  int64_t end = 0;
  const Value* list = f.child("segments");
  SVDLAB_REQUIRE(list, Errc::kConfig, f.where(), ": `", f.path_of("segments"), "` is missing");
  for (const Value& item : list->items) {
    Fields s(item, concat(f.path_of("segments"), ".", out.size()));
    out.push_back(
        {size_of(s, "begin", 0), size_of(s, "end"), producer_named(s.required_text("producer"), s.where())});
    s.finish();
    SVDLAB_REQUIRE(out.back().begin == end && out.back().end > end, Errc::kConfig, s.where(), ": segment [",
                   out.back().begin, ", ", out.back().end, ") must begin at ", end, " and not be empty");
    end = out.back().end;
  }
  SVDLAB_REQUIRE(end == in_features, Errc::kConfig, f.where(), ": `", f.path_of("segments"), "` end at ", end,
                 ", in_features is ", in_features);
  return out;
}

TensorScheme read_scheme(Fields& f) {
  for (const char* key : {"format", "grouping", "scale"}) f.required_text(key);
  TensorScheme scheme;
  read_tensor_scheme(f, scheme);
  return scheme;
}

void read_low_bit(Fields& f, int64_t in_features, StoredLinear::Branch& b) {
  b.low_bit = true;
  const Value* weights = f.child("weights");
  SVDLAB_REQUIRE(weights, Errc::kConfig, f.where(), ": `", f.path_of("weights"), "` is missing");
  Fields w(*weights, f.path_of("weights"));
  b.weights = read_scheme(w);
  w.finish();
  SVDLAB_REQUIRE(b.weights.grouping != Grouping::kGroup || in_features % b.weights.group == 0, Errc::kConfig,
                 f.where(), ": group ", b.weights.group, " does not divide ", in_features, " columns");
  if (const Value* activations = f.child("activations")) {
    Fields a(*activations, f.path_of("activations"));
    b.activations = ActivationScheme{read_scheme(a), a.boolean("shift_after_gelu", false)};
    const std::string range = a.text("range", to_string(Range::kDynamic));
    for (const Range r : {Range::kDynamic, Range::kStatic, Range::kCross})
      if (to_string(r) == range) b.activations->range = r;
    SVDLAB_REQUIRE(to_string(b.activations->range) == range, Errc::kConfig, a.where(), ": `",
                   a.path_of("range"), "` must be dynamic, static or cross, not \"", range, "\"");
    if (b.activations->range == Range::kCross) b.activations->exponent = a.number("exponent", 1);
    a.finish();
  }
  b.segments = read_segments(f, in_features);
  b.codes = f.required_text("codes");
  b.scales = f.required_text("scales");
  b.tensor_scale = f.required_text("tensor_scale");
  if (b.weights.format == NumberFormat::kAffine) b.zeros = f.required_text("zeros");
  if (b.weights.format == NumberFormat::kCodebook) {
    b.codebook = f.required_text("codebook");
    b.levels = size_of(f, "levels", 2);
    SVDLAB_REQUIRE(b.levels <= 1 << b.weights.bits, Errc::kConfig, f.where(), ": `", f.path_of("levels"),
                   "` is ", b.levels, ", more than codes of ", b.weights.bits, " bits can tell apart");
  }
  if (b.activations && b.activations->range == Range::kStatic) b.ranges = f.required_text("ranges");
}

void read_low_rank(Fields& f, StoredLinear::Branch& b) {
  b.rank = size_of(f, "rank");
  b.sharers = size_of(f, "sharers");
  b.down = f.required_text("down");
  b.up = f.required_text("up");
}

StoredLinear::Branch read_branch(const Value& value, const std::string& path, int64_t out_features,
                                 int64_t in_features) {
  Fields f(value, path);
  StoredLinear::Branch b;
  const std::string kind = f.required_text("kind");
  if (is_extra_branch(kind)) {
    b.extra = read_extra_branch(value, path, out_features, in_features);
    return b;
  }
  SVDLAB_REQUIRE(kind == "low_bit" || kind == "low_rank", Errc::kConfig, f.where(), ": `", f.path_of("kind"),
                 "` must be low_bit, low_rank, sparse, columns or kronecker, not \"", kind, "\"");
  if (kind == "low_bit")
    read_low_bit(f, in_features, b);
  else
    read_low_rank(f, b);
  f.finish();
  return b;
}

std::vector<int64_t> scales_shape(const TensorScheme& scheme, int64_t rows, int64_t cols) {
  return {scheme.grouping == Grouping::kTensor ? 1 : rows, scheme.groups_of(cols)};
}

}  // namespace

StoredLinear::StoredLinear(const Value& description) {
  Fields f(description, "");
  name = f.required_text("name");
  group = f.required_text("group");
  scheme = f.required_text("scheme");
  method = f.required_text("method");
  out_features = size_of(f, "out_features");
  in_features = size_of(f, "in_features");
  if (const Value* list = f.child("ranges")) {
    read_ranges(*list, f.where());
    f.finish();
    return;
  }
  smooth = f.text("smooth", "");
  if (const Value* steps = f.child("then"))
    for (const Value& item : steps->items)
      then.push_back(read_step(item, concat("then.", then.size()), in_features));
  if (!smooth.empty() || !then.empty()) smooth_sharers = size_of(f, "smooth_sharers");
  bias = f.text("bias", "");
  if (!bias.empty()) {
    const std::string type = f.required_text("bias_type");
    SVDLAB_REQUIRE(type == "bf16" || type == "fp32", Errc::kConfig, f.where(), ": `", f.path_of("bias_type"),
                   "` must be bf16 or fp32, not \"", type, "\"");
    bias_type = type == "fp32" ? ScaleFormat::kFp32 : ScaleFormat::kBf16;
  }
  const Value* list = f.child("branches");
  SVDLAB_REQUIRE(list && !list->items.empty(), Errc::kConfig, f.where(), ": linear ", name, " has no branch");
  for (const Value& item : list->items)
    branches.push_back(read_branch(item, concat("branches.", branches.size()), out_features, in_features));
  f.finish();
}

void StoredLinear::read_ranges(const Value& list, const std::string& where) {
  SVDLAB_REQUIRE(!list.items.empty(), Errc::kConfig, where, ": linear ", name, " has no range of timesteps");
  for (const Value& item : list.items) {
    Fields f(item, concat("ranges.", ranges.size()));
    const double upper = f.number("upper", 0);
    const Value* linear = f.child("linear");
    SVDLAB_REQUIRE(linear && f.has("upper") && (ranges.empty() || ranges.back().first < upper), Errc::kConfig,
                   f.where(), ": range ", ranges.size(), " of linear ", name,
                   " must have a linear and an upper end above that of the range before");
    f.finish();
    ranges.emplace_back(upper, StoredLinear(*linear));
    const StoredLinear& variant = ranges.back().second;
    SVDLAB_REQUIRE(
        variant.ranges.empty() && variant.out_features == out_features && variant.in_features == in_features,
        Errc::kConfig, f.where(), ": range ", ranges.size() - 1, " of linear ", name, " is ",
        variant.out_features, " x ", variant.in_features, " and ", variant.ranges.size(), " ranges, not ",
        out_features, " x ", in_features);
  }
}

double StoredLinear::bits() const {
  const double rows = static_cast<double>(out_features), cols = static_cast<double>(in_features);
  double sum = smooth.empty() ? 0 : 16.0 * cols;
  for (const StoredPart& step : then) sum += bits_of(step, out_features, in_features);
  sum /= static_cast<double>(smooth_sharers);
  for (const Branch& b : branches) {
    if (b.low_bit) {
      const auto scales_of = scales_shape(b.weights, out_features, in_features);
      sum += b.weights.code_bits() * rows * cols + (b.weights.two_level ? 32.0 : 0.0) +
             b.weights.scale_bits() * static_cast<double>(scales_of[0] * scales_of[1]) +
             16.0 * static_cast<double>(b.levels) +
             (b.ranges.empty() ? 0.0 : 64.0 * static_cast<double>(b.segments.size()));
    } else if (b.extra) {
      sum += bits_of(*b.extra, out_features, in_features);
    } else {
      sum += 16.0 * static_cast<double>(b.rank) * (cols / static_cast<double>(b.sharers) + rows);
    }
  }
  for (const auto& [upper, variant] : ranges) sum += variant.bits();
  return sum;
}

std::vector<std::string> StoredLinear::tensors() const {
  std::vector<std::string> out;
  const auto add = [&](const std::string& tensor) {
    if (!tensor.empty()) out.push_back(tensor);
  };
  for (const auto& [upper, variant] : ranges)
    for (const std::string& tensor : variant.tensors()) add(tensor);
  add(smooth);
  add(bias);
  for (const Branch& b : branches)
    for (const std::string* tensor :
         {&b.codes, &b.scales, &b.tensor_scale, &b.zeros, &b.codebook, &b.ranges, &b.down, &b.up})
      add(*tensor);
  const auto add_part = [&](const StoredPart& part) {
    for (const auto& [field, tensor] : part.tensors) add(tensor);
  };
  for (const StoredPart& step : then) add_part(step);
  for (const Branch& b : branches)
    if (b.extra) add_part(*b.extra);
  return out;
}

CompressedLinear StoredLinear::load(const SafetensorsFile& file,
                                    std::map<std::string, Tensor>& shared) const {
  const auto once = [&](const std::string& tensor, const std::vector<int64_t>& shape) {
    Tensor& known = shared[tensor];
    if (!known.defined()) known = load_values(file, tensor, shape, ScaleFormat::kBf16);
    SVDLAB_REQUIRE(known.sizes() == at::IntArrayRef(shape), Errc::kInput, file.path(), ": tensor ",
                   printable(tensor), " is ", known.sizes(), ", linear ", name, " needs ",
                   at::IntArrayRef(shape));
    return known;
  };
  CompressedLinear out;
  out.name = name;
  for (const auto& [upper, variant] : ranges) {
    out.ranges.push_back({upper, variant.load(file, shared)});
    out.ranges.back().linear.name = name;
  }
  if (!ranges.empty()) return out;
  if (!smooth.empty()) out.smooth = once(smooth, {in_features});
  for (const StoredPart& step : then) out.then.push_back(load_step(step, in_features, file, shared));
  out.smooth_sharers = static_cast<int>(smooth_sharers);
  if (!bias.empty()) out.bias = load_values(file, bias, {out_features}, bias_type);
  for (const Branch& b : branches) {
    if (b.low_bit) {
      QuantizedTensor q;
      q.scheme = b.weights;
      q.codes = load_codes(file, b.codes, out_features, in_features, b.weights.format, b.weights.bits);
      q.scales =
          load_values(file, b.scales, scales_shape(b.weights, out_features, in_features), b.weights.scale);
      q.tensor_scale = load_values(file, b.tensor_scale, {1}, ScaleFormat::kFp32).item<float>();
      if (!b.zeros.empty())
        q.zeros = load_values(file, b.zeros, scales_shape(b.weights, out_features, in_features),
                              ScaleFormat::kFp32);
      if (!b.codebook.empty()) q.codebook = load_values(file, b.codebook, {b.levels}, ScaleFormat::kFp32);
      Tensor ranges;
      if (!b.ranges.empty())
        ranges =
            load_values(file, b.ranges, {static_cast<int64_t>(b.segments.size()), 2}, ScaleFormat::kFp32);
      out.branches.emplace_back(LowBitBranch{std::move(q), b.activations, b.segments, ranges});
    } else if (b.extra) {
      out.branches.push_back(load_extra_branch(*b.extra, out_features, in_features, file));
    } else {
      const Tensor down = once(b.down, {b.rank, in_features});
      out.branches.emplace_back(
          LowRankBranch{down, load_values(file, b.up, {out_features, b.rank}, ScaleFormat::kBf16),
                        static_cast<int>(b.sharers)});
    }
  }
  return out;
}

}  // namespace svdlab
