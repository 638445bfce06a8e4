#include "core/io/stored_parts.h"

#include "core/base/error.h"

namespace svdlab {
namespace {

constexpr int64_t kMaxSize = int64_t{1} << 31;

// The fields of every kind: sizes, and tensors.
struct Kind {
  std::vector<std::string> sizes, tensors;
  bool is_branch;
};

const std::map<std::string, Kind>& kinds() {
  static const std::map<std::string, Kind> all = {
      {"divide", {{}, {"by"}, false}},
      {"offset", {{}, {"add"}, false}},
      {"permute", {{}, {"order"}, false}},
      {"hadamard", {{"begin", "end", "size"}, {"signs"}, false}},
      {"rotate", {{"begin", "end", "size"}, {"blocks"}, false}},
      {"sparse", {{"count"}, {"starts", "columns", "values"}, true}},
      {"columns", {{"count"}, {"columns", "weight"}, true}},
      {"kronecker", {{"terms", "left_rows", "left_columns"}, {"left", "right"}, true}},
  };
  return all;
}

Value part_value(const std::string& kind, const std::map<std::string, int64_t>& sizes,
                 const std::map<std::string, std::string>& tensors) {
  Value v = Value::map();
  v.at_or_add("kind") = Value::text(kind);
  for (const auto& [field, size] : sizes) v.at_or_add(field) = Value::integer(size);
  for (const auto& [field, name] : tensors) v.at_or_add(field) = Value::text(name);
  return v;
}

StoredPart read_part(const Value& value, const std::string& path, bool is_branch) {
  Fields f(value, path);
  StoredPart out;
  out.kind = f.required_text("kind");
  const auto found = kinds().find(out.kind);
  SVDLAB_REQUIRE(found != kinds().end() && found->second.is_branch == is_branch, Errc::kConfig, f.where(),
                 ": `", f.path_of("kind"), "` is unknown: \"", out.kind, "\"");
  for (const std::string& field : found->second.sizes) {
    const int64_t n = f.integer(field, -1);
    SVDLAB_REQUIRE(n >= 0 && n < kMaxSize, Errc::kConfig, f.where(), ": `", f.path_of(field),
                   "` must be in [0, ", kMaxSize, "), not ", n);
    out.sizes[field] = n;
  }
  for (const std::string& field : found->second.tensors)
    if (field != "signs" || f.has(field)) out.tensors[field] = f.required_text(field);
  if (out.kind == "columns") out.threshold = f.number("threshold", 0);
  f.finish();
  return out;
}

Tensor load(const SafetensorsFile& file, const std::string& name, std::vector<int64_t> shape, bool integers) {
  const auto found = file.entries().find(name);
  SVDLAB_REQUIRE(found != file.entries().end(), Errc::kInput, file.path(), ": no tensor ", printable(name));
  const StEntry& entry = found->second;
  const bool type_fits =
      integers ? entry.dtype == StDtype::kI64 : entry.dtype == StDtype::kF32 || entry.dtype == StDtype::kBf16;
  SVDLAB_REQUIRE(type_fits && entry.shape == shape, Errc::kInput, file.path(), ": tensor ", printable(name),
                 " is ", to_string(entry.dtype), " ", at::IntArrayRef(entry.shape), ", must be ",
                 integers ? "I64" : "F32 or BF16", " ", at::IntArrayRef(shape));
  const Tensor out = file.tensor(name).to(integers ? at::kLong : at::kFloat).clone();
  SVDLAB_REQUIRE(integers || out.isfinite().all().item<bool>(), Errc::kInput, file.path(), ": tensor ",
                 printable(name), " has values that are not finite");
  return out;
}

void require_values(bool good, const SafetensorsFile& file, const std::string& name, const char* what) {
  SVDLAB_REQUIRE(good, Errc::kInput, file.path(), ": tensor ", printable(name), " must hold ", what);
}

// Indices below `limit`, each larger than the one before.
bool ascends(const int64_t* index, int64_t count, int64_t limit) {
  for (int64_t i = 0; i < count; ++i)
    if (index[i] < 0 || index[i] >= limit || (i > 0 && index[i] <= index[i - 1])) return false;
  return true;
}

SparseBranch load_sparse(const StoredPart& p, int64_t rows, int64_t channels, const SafetensorsFile& file) {
  const int64_t count = p.sizes.at("count");
  SparseBranch b{.in_features = channels,
                 .starts = load(file, p.tensors.at("starts"), {rows + 1}, true),
                 .columns = load(file, p.tensors.at("columns"), {count}, true),
                 .values = load(file, p.tensors.at("values"), {count}, false)};
  const int64_t *starts = b.starts.data_ptr<int64_t>(), *columns = b.columns.data_ptr<int64_t>();
  bool good = starts[0] == 0 && starts[rows] == count;
  for (int64_t n = 0; n < rows && good; ++n) good = starts[n] <= starts[n + 1];
  require_values(good, file, p.tensors.at("starts"), "row starts from 0 to the number of values");
  for (int64_t n = 0; n < rows && good; ++n)
    good = ascends(columns + starts[n], starts[n + 1] - starts[n], channels);
  require_values(good, file, p.tensors.at("columns"), "ascending columns of the linear");
  return b;
}

}  // namespace

Value step_value(const OnlineStep& step, const std::string& prefix, PartWriter& to) {
  if (const auto* s = std::get_if<Divide>(&step))
    return part_value("divide", {}, {{"by", to.store(prefix + ".by", s->by, false)}});
  if (const auto* s = std::get_if<Offset>(&step))
    return part_value("offset", {}, {{"add", to.store(prefix + ".add", s->add, false)}});
  if (const auto* s = std::get_if<Permute>(&step))
    return part_value("permute", {}, {{"order", to.store(prefix + ".order", s->order, true)}});
  if (const auto* s = std::get_if<Hadamard>(&step)) {
    std::map<std::string, std::string> tensors;
    if (s->signs.defined()) tensors["signs"] = to.store(prefix + ".signs", s->signs, false);
    return part_value("hadamard", {{"begin", s->begin}, {"end", s->end}, {"size", s->size}}, tensors);
  }
  const Rotate& s = std::get<Rotate>(step);
  return part_value("rotate", {{"begin", s.begin}, {"end", s.end}, {"size", s.blocks.size(1)}},
                    {{"blocks", to.store(prefix + ".blocks", s.blocks, true)}});
}

Value extra_branch_value(const SparseBranch& b, const std::string& prefix, PartWriter& to) {
  return part_value("sparse", {{"count", b.values.numel()}},
                    {{"starts", to.store(prefix + ".starts", b.starts, true)},
                     {"columns", to.store(prefix + ".columns", b.columns, true)},
                     {"values", to.store(prefix + ".values", b.values, false)}});
}

Value extra_branch_value(const ColumnsBranch& b, const std::string& prefix, PartWriter& to) {
  Value v = part_value("columns", {{"count", b.columns.numel()}},
                       {{"columns", to.store(prefix + ".columns", b.columns, true)},
                        {"weight", to.store(prefix + ".weight", b.weight, false)}});
  v.at_or_add("threshold") = Value::number(b.threshold);
  return v;
}

Value extra_branch_value(const KroneckerBranch& b, const std::string& prefix, PartWriter& to) {
  return part_value(
      "kronecker",
      {{"terms", b.left.size(0)}, {"left_rows", b.left.size(1)}, {"left_columns", b.left.size(2)}},
      {{"left", to.store(prefix + ".left", b.left, false)},
       {"right", to.store(prefix + ".right", b.right, false)}});
}

StoredPart read_step(const Value& value, const std::string& path, int64_t channels) {
  StoredPart p = read_part(value, path, /*is_branch=*/false);
  if (!p.sizes.count("begin")) return p;
  const int64_t begin = p.sizes["begin"], end = p.sizes["end"], size = p.sizes["size"];
  SVDLAB_REQUIRE(begin < end && end <= channels && size > 0 && (end - begin) % size == 0, Errc::kConfig,
                 value.where, ": `", path, "`: channels [", begin, ", ", end, ") of ", channels,
                 " do not divide into runs of ", size);
  return p;
}

StoredPart read_extra_branch(const Value& value, const std::string& path, int64_t rows, int64_t channels) {
  StoredPart p = read_part(value, path, /*is_branch=*/true);
  if (p.kind == "kronecker") {
    const int64_t n1 = p.sizes["left_rows"], k1 = p.sizes["left_columns"];
    SVDLAB_REQUIRE(n1 > 0 && k1 > 0 && rows % n1 == 0 && channels % k1 == 0 && p.sizes["terms"] > 0,
                   Errc::kConfig, value.where, ": `", path, "`: factors of ", n1, " x ", k1,
                   " do not divide a linear of ", rows, " x ", channels);
  } else {
    const int64_t most = p.kind == "columns" ? channels : rows * channels;
    SVDLAB_REQUIRE(p.sizes["count"] <= most, Errc::kConfig, value.where, ": `", path, ".count` is ",
                   p.sizes["count"], ", the linear has ", most);
  }
  return p;
}

bool is_extra_branch(const std::string& kind) {
  const auto found = kinds().find(kind);
  return found != kinds().end() && found->second.is_branch;
}

double bits_of(const StoredPart& p, int64_t rows, int64_t channels) {
  const auto size = [&](const char* field) { return static_cast<double>(p.sizes.at(field)); };
  const double n = static_cast<double>(rows), k = static_cast<double>(channels);
  if (p.kind == "divide" || p.kind == "offset" || p.kind == "permute") return 16 * k;
  if (p.kind == "hadamard") return p.tensors.count("signs") ? size("end") - size("begin") : 0;
  if (p.kind == "rotate") return 32 * (size("end") - size("begin")) * size("size");
  if (p.kind == "sparse") return (channels > 65536 ? 48 : 32) * size("count") + 32 * (n + 1);
  if (p.kind == "columns") return 16 * n * size("count") + (p.threshold > 0 ? 0 : 16 * size("count"));
  const double left = size("left_rows") * size("left_columns");
  return 16 * size("terms") * (left + n * k / left);
}

OnlineStep load_step(const StoredPart& p, int64_t channels, const SafetensorsFile& file,
                     SharedTensors& shared) {
  const auto get = [&](const char* field, std::vector<int64_t> shape, bool integers = false) {
    const std::string& name = p.tensors.at(field);
    Tensor& known = shared[name];
    if (!known.defined()) known = load(file, name, shape, integers);
    require_values(known.sizes() == at::IntArrayRef(shape), file, name,
                   "as many values as all its users need");
    return known;
  };
  if (p.kind == "divide") {
    const Tensor by = get("by", {channels});
    require_values((by > 0).all().item<bool>(), file, p.tensors.at("by"), "positive divisors");
    return Divide{by};
  }
  if (p.kind == "offset") return Offset{get("add", {channels})};
  if (p.kind == "permute") {
    const Tensor order = get("order", {channels}, true), sorted = std::get<0>(order.sort());
    require_values(sorted.equal(at::arange(channels)), file, p.tensors.at("order"), "a permutation");
    return Permute{order};
  }
  const int64_t begin = p.sizes.at("begin"), end = p.sizes.at("end"), size = p.sizes.at("size");
  if (p.kind == "rotate") return Rotate{begin, end, get("blocks", {(end - begin) / size, size, size})};
  return Hadamard{begin, end, size, p.tensors.count("signs") ? get("signs", {end - begin}) : Tensor()};
}

Branch load_extra_branch(const StoredPart& p, int64_t rows, int64_t channels, const SafetensorsFile& file) {
  if (p.kind == "sparse") return load_sparse(p, rows, channels, file);
  if (p.kind == "columns") {
    const int64_t count = p.sizes.at("count");
    ColumnsBranch b{load(file, p.tensors.at("columns"), {count}, true),
                    load(file, p.tensors.at("weight"), {rows, count}, false), p.threshold};
    require_values(ascends(b.columns.data_ptr<int64_t>(), count, channels), file, p.tensors.at("columns"),
                   "ascending columns of the linear");
    return b;
  }
  const int64_t terms = p.sizes.at("terms"), n1 = p.sizes.at("left_rows"), k1 = p.sizes.at("left_columns");
  return KroneckerBranch{load(file, p.tensors.at("left"), {terms, n1, k1}, false),
                         load(file, p.tensors.at("right"), {terms, rows / n1, channels / k1}, false)};
}

}  // namespace svdlab
