#include "lowrank/gpu_stages.h"

#include <algorithm>
#include <initializer_list>
#include <map>

namespace svdlab {
namespace {

bool is_one_of(const std::string& name, std::initializer_list<const char*> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool has_number_format(const TensorScheme& scheme) {
  return scheme.format != NumberFormat::kAffine && scheme.format != NumberFormat::kCodebook;
}

// The quantizer that gives GPTQ its scales; read_nested_stage's two spellings.
std::string gptq_grid(const Value& options) {
  const Value* grid = options.find("grid");
  if (grid == nullptr) return "rtn";
  return grid->kind == Value::Kind::kMap ? grid->members.front().first : grid->scalar;
}

class ToCpu {
 public:
  void move(Tensor& t) {
    if (!t.defined() || t.device().is_cpu()) return;
    Tensor& known = moved_[t.unsafeGetTensorImpl()];
    if (!known.defined()) known = t.cpu(), sources_.push_back(t);
    t = known;
  }
  void move(CompressedLinear& linear) {
    move(linear.smooth);
    move(linear.bias);
    for (Branch& branch : linear.branches) std::visit([&](auto& b) { move(b); }, branch);
    for (TimestepVariant& range : linear.ranges) move(range.linear);
  }

 private:
  void move(LowBitBranch& b) {
    for (Tensor* t : {&b.weight.codes, &b.weight.scales, &b.weight.zeros, &b.weight.codebook, &b.ranges})
      move(*t);
  }
  void move(LowRankBranch& b) {
    move(b.down);
    move(b.up);
  }
  template <class Extra>
  void move(Extra&) {}  // branches that no stage makes on a GPU

  std::map<const void*, Tensor> moved_;
  std::vector<Tensor> sources_;  // so that no address is used twice
};

}  // namespace

bool only_divides(const Recipe& recipe) {
  return is_one_of(recipe.transform, {"none", "smooth", "closed-form", "awq-lite"});
}

std::string stage_without_gpu(const PlanRule& rule) {
  const Recipe& r = rule.recipe;
  if (!rule.scheme.weights || r.keeps_16_bit()) return "";
  if (!has_number_format(*rule.scheme.weights) ||
      (rule.scheme.activations && !has_number_format(rule.scheme.activations->tensor)))
    return "scheme " + rule.scheme.name;
  if (!only_divides(r)) return "transform " + r.transform;
  if (!is_one_of(r.objective, {"plain", "diagonal", "whitened"})) return "low_rank.objective " + r.objective;
  if (!is_one_of(r.weights, {"rtn", "scale-search", "gptq"})) return "weights " + r.weights;
  if (const std::string grid = gptq_grid(r.weight_options);
      r.weights == "gptq" && !is_one_of(grid, {"rtn", "scale-search"}))
    return "weights.gptq.grid " + grid;
  if (r.activations != "dynamic") return "activations " + r.activations;
  return r.branch == "none" ? "" : "branch " + r.branch;
}

void move_to_cpu(std::vector<CompressedLinear>& linears) {
  ToCpu to_cpu;
  for (CompressedLinear& linear : linears) to_cpu.move(linear);
}

}  // namespace svdlab
