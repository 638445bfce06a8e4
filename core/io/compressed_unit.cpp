#include "core/io/compressed_unit.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/io/scheme_value.h"
#include "core/io/stored_parts.h"
#include "core/io/stored_tensor.h"

namespace svdlab {
namespace {

Value segments_value(const std::vector<Segment>& segments) {
  Value list = Value::list();
  for (const Segment& s : segments) {
    Value v = Value::map();
    v.at_or_add("begin") = Value::integer(s.begin);
    v.at_or_add("end") = Value::integer(s.end);
    v.at_or_add("producer") = Value::text(to_string(s.producer));
    list.items.push_back(v);
  }
  return list;
}

Value activations_value(const ActivationScheme& activations) {
  Value v = tensor_scheme_value(activations.tensor);
  v.at_or_add("shift_after_gelu") = Value::boolean(activations.shift_after_gelu);
  if (activations.range != Range::kDynamic) v.at_or_add("range") = Value::text(to_string(activations.range));
  if (activations.range == Range::kCross) v.at_or_add("exponent") = Value::number(activations.exponent);
  return v;
}

bool holds_bf16(const Tensor& values) { return values.to(at::kBFloat16).to(at::kFloat).equal(values); }

// Collects the tensors of one unit and names them.
class Storage final : public PartWriter {
 public:
  Value linear_value(const UnitLinear& item) {
    const CompressedLinear& linear = item.linear;
    Value v = Value::map();
    v.at_or_add("name") = Value::text(linear.name);
    v.at_or_add("group") = Value::text(item.group);
    v.at_or_add("scheme") = Value::text(item.scheme);
    v.at_or_add("method") = Value::text(item.method);
    v.at_or_add("out_features") = Value::integer(linear.out_features());
    v.at_or_add("in_features") = Value::integer(linear.in_features());
    if (!linear.ranges.empty()) {
      v.at_or_add("ranges") = ranges_value(item);
      return v;
    }
    if (linear.smooth.defined()) {
      v.at_or_add("smooth") = shared(linear.name + ".smooth", linear.smooth);
    }
    Value steps = Value::list();
    for (size_t i = 0; i < linear.then.size(); ++i)
      steps.items.push_back(step_value(linear.then[i], concat(linear.name, ".step", i), *this));
    if (!steps.items.empty()) v.at_or_add("then") = steps;
    if (linear.smooth.defined() || !steps.items.empty())
      v.at_or_add("smooth_sharers") = Value::integer(linear.smooth_sharers);
    if (linear.bias.defined()) {
      const ScaleFormat type = holds_bf16(linear.bias) ? ScaleFormat::kBf16 : ScaleFormat::kFp32;
      v.at_or_add("bias") = add(store_values(linear.name + ".bias", linear.bias, type));
      v.at_or_add("bias_type") = Value::text(to_string(type));
    }
    Value branches = Value::list();
    for (size_t i = 0; i < linear.branches.size(); ++i) {
      const std::string prefix = i < 2 ? linear.name : concat(linear.name, ".branch", i);
      branches.items.push_back(
          std::visit([&](const auto& branch) { return branch_value(prefix, branch); }, linear.branches[i]));
    }
    v.at_or_add("branches") = branches;
    return v;
  }

  std::vector<StWrite> take() { return std::move(tensors_); }

  std::string store(const std::string& name, const Tensor& tensor, bool exact) override {
    const auto known = std::find_if(shared_.begin(), shared_.end(), [&](const auto& entry) {
      return entry.first.data_ptr() == tensor.data_ptr() && entry.first.sizes() == tensor.sizes();
    });
    if (known != shared_.end() && tensor.numel() > 0) return known->second;
    shared_.emplace_back(tensor, name);
    if (tensor.scalar_type() == at::kLong)
      tensors_.push_back({.name = name, .tensor = tensor.contiguous()});
    else
      tensors_.push_back(
          store_values(name, tensor, !exact && holds_bf16(tensor) ? ScaleFormat::kBf16 : ScaleFormat::kFp32));
    return name;
  }

 private:
  Value add(StWrite item) {
    tensors_.push_back(std::move(item));
    return Value::text(tensors_.back().name);
  }

  Value shared(const std::string& name, const Tensor& tensor) {
    const auto known = std::find_if(shared_.begin(), shared_.end(), [&](const auto& entry) {
      return entry.first.data_ptr() == tensor.data_ptr() && entry.first.sizes() == tensor.sizes();
    });
    if (known != shared_.end()) return Value::text(known->second);
    shared_.emplace_back(tensor, name);
    return add(store_values(name, tensor, ScaleFormat::kBf16));
  }

  // Each variant as a linear of its own name.
  Value ranges_value(const UnitLinear& item) {
    Value list = Value::list();
    for (const TimestepVariant& range : item.linear.ranges) {
      UnitLinear variant{range.linear, item.group, item.scheme, item.method};
      variant.linear.name = concat(item.linear.name, '@', list.items.size());
      Value v = Value::map();
      v.at_or_add("upper") = Value::number(range.upper);
      v.at_or_add("linear") = linear_value(variant);
      list.items.push_back(v);
    }
    return list;
  }

  Value branch_value(const std::string& prefix, const LowBitBranch& branch) {
    const QuantizedTensor& q = branch.weight;
    Value v = Value::map();
    v.at_or_add("kind") = Value::text("low_bit");
    v.at_or_add("weights") = tensor_scheme_value(q.scheme);
    if (branch.activations) v.at_or_add("activations") = activations_value(*branch.activations);
    v.at_or_add("segments") = segments_value(branch.segments);
    v.at_or_add("codes") = add(store_codes(prefix + ".codes", q.codes, q.scheme.format, q.scheme.bits));
    v.at_or_add("scales") = add(store_values(prefix + ".scales", q.scales, q.scheme.scale));
    v.at_or_add("tensor_scale") =
        add(store_values(prefix + ".tensor_scale", at::full({1}, q.tensor_scale), ScaleFormat::kFp32));
    const auto add_fp32 = [&](const char* key, const Tensor& values) {
      if (values.defined())
        v.at_or_add(key) = add(store_values(concat(prefix, ".", key), values, ScaleFormat::kFp32));
    };
    add_fp32("zeros", q.zeros);
    add_fp32("codebook", q.codebook);
    if (q.codebook.defined()) v.at_or_add("levels") = Value::integer(q.codebook.numel());
    add_fp32("ranges", branch.ranges);
    return v;
  }

  Value branch_value(const std::string& prefix, const LowRankBranch& branch) {
    Value v = Value::map();
    v.at_or_add("kind") = Value::text("low_rank");
    v.at_or_add("rank") = Value::integer(branch.rank());
    v.at_or_add("sharers") = Value::integer(branch.sharers);
    v.at_or_add("down") = shared(prefix + ".down", branch.down);
    v.at_or_add("up") = add(store_values(prefix + ".up", branch.up, ScaleFormat::kBf16));
    return v;
  }

  template <class Extra>
  Value branch_value(const std::string& prefix, const Extra& branch) {
    return extra_branch_value(branch, prefix, *this);
  }

  std::vector<StWrite> tensors_;
  std::vector<std::pair<Tensor, std::string>> shared_;
};

}  // namespace

StoredUnit store_unit(const CompressedUnit& unit) {
  Storage storage;
  Value list = Value::list();
  for (const UnitLinear& item : unit) list.items.push_back(storage.linear_value(item));
  return {list, storage.take()};
}

}  // namespace svdlab
