#include "core/runtime/executor.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/runtime/ops.h"

namespace svdlab {
namespace {

/// The timestep of a whole batch; nothing without one.
std::optional<double> common_timestep(const NamedTensors& inputs) {
  const auto found = inputs.find("timestep");
  if (found == inputs.end()) return {};
  const Tensor t = found->second.to(at::kDouble);
  const double first = t.min().item<double>(), last = t.max().item<double>();
  SVDLAB_REQUIRE(first == last, Errc::kConfig, "timesteps ", first, " to ", last,
                 " in one batch, and linears have a variant for each range; run one timestep at a time");
  return first;
}

/// Ops whose output holds values of their inputs or must stay fp32: nothing to round.
bool rounds(Op op) {
  switch (op) {
    case Op::kInput:
    case Op::kSlice:
    case Op::kTokensLike:
    case Op::kHeads:
    case Op::kConcat:
    case Op::kRopeTable:
      return false;
    default:
      return true;
  }
}

}  // namespace

bool stays_fp32(const Node& node) {
  return node.op == Op::kRopeTable ||
         (node.op == Op::kInput &&
          (node.id == "timestep" || node.id == "guidance" || node.id == "img_ids" || node.id == "txt_ids"));
}

struct Executor::State {
  const Graph& graph;
  Options options;
  std::vector<int> last_use;                 // node -> last node that reads it
  std::vector<Tensor> weights, biases;       // per linear, compute dtype; undefined when not cached
  std::map<int, PreparedLinear> compressed;  // per linear
  std::map<std::string, Tensor> parameters;  // of no linear, compute dtype; where cached

  at::Device device_for(const Tensor& t) const { return options.device.value_or(t.device()); }
  at::ScalarType compute_type(at::Device device) const {
    return device.is_cuda() && options.precision == Precision::kBf16 ? at::kBFloat16 : at::kFloat;
  }
  Tensor convert(const Tensor& t) const {
    return t.defined() ? t.to(device_for(t), compute_type(device_for(t))) : t;
  }
  Tensor parameter(const std::string& name) const {
    const auto cached = parameters.find(name);
    return cached != parameters.end() ? cached->second : convert(graph.parameters.at(name));
  }

  bool has_ranges() const {
    if (options.compressed == nullptr) return false;
    const auto& linears = options.compressed->linears;
    return std::any_of(linears.begin(), linears.end(),
                       [](const auto& l) { return !l.second.ranges.empty(); });
  }

  Tensor linear(int index, const Tensor& x, std::optional<double> timestep) const {
    if (const auto found = compressed.find(index); found != compressed.end()) {
      std::vector<int64_t> shape = x.sizes().vec();
      shape.back() = graph.linears[index].out_features();
      const Tensor y = found->second.run(x.reshape({-1, x.size(-1)}).to(at::kCPU, at::kFloat), timestep);
      return y.view(shape).to(x.options());
    }
    const LinearSpec& spec = graph.linears[index];
    const bool cached = weights[index].defined();
    return at::linear(x, cached ? weights[index] : convert(spec.weight),
                      cached ? biases[index] : convert(spec.bias));
  }

  Tensor evaluate(const Node& node, const std::vector<Tensor>& inputs, std::optional<double> timestep) const {
    Tensor out;
    if (node.op == Op::kLinear) {
      out = linear(node.linear, inputs[0], timestep);
    } else {
      out = run_op(node, inputs, node.parameter.empty() ? Tensor() : parameter(node.parameter),
                   options.precision);
    }
    if (node.op == Op::kTimestepEmbedding) out = out.to(compute_type(out.device()));
    return rounds(node.op) ? round_to(out, options.precision) : out;
  }

  Tensor input(const Node& node, const NamedTensors& inputs) const {
    const auto found = inputs.find(node.id);
    SVDLAB_REQUIRE(found != inputs.end(), Errc::kConfig, "the model needs an input \"", node.id, "\"");
    const at::Device device = device_for(found->second);
    if (stays_fp32(node)) return found->second.to(device);
    return round_to(found->second.to(device, compute_type(device)), options.precision);
  }
};

Executor::Executor(const Graph& graph, Options options)
    : state_(new State{graph,
                       options,
                       std::vector<int>(graph.nodes.size(), -1),
                       std::vector<Tensor>(graph.linears.size()),
                       std::vector<Tensor>(graph.linears.size()),
                       {},
                       {}}) {
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (const int input : graph.nodes[i].inputs) state_->last_use[input] = static_cast<int>(i);
  if (options.compressed != nullptr)
    for (const auto& [name, linear] : options.compressed->linears) {
      const LinearSpec& spec = graph.linears[graph.linear_index(name)];
      SVDLAB_REQUIRE(
          linear.out_features() == spec.out_features() && linear.in_features() == spec.in_features(),
          Errc::kInput, "compressed ", name, " is ", linear.out_features(), " x ", linear.in_features(),
          ", the model's is ", spec.out_features(), " x ", spec.in_features());
    }
  for (size_t i = 0; i < graph.linears.size(); ++i) {
    const LinearSpec& spec = graph.linears[i];
    if (options.elsewhere.count(static_cast<int>(i)) > 0) continue;
    if (options.compressed != nullptr) {
      const auto found = options.compressed->linears.find(spec.name);
      if (found != options.compressed->linears.end()) {
        state_->compressed.emplace(static_cast<int>(i), PreparedLinear(found->second, options.execution));
        continue;
      }
    }
    if (!options.cache_weights || spec.weight.requires_grad()) continue;
    state_->weights[i] = state_->convert(spec.weight);
    state_->biases[i] = state_->convert(spec.bias);
  }
  for (const auto& [name, parameter] : graph.parameters)
    if (options.device) state_->parameters[name] = state_->convert(parameter);
}

Executor::~Executor() = default;

Tensor Executor::run_node(int node, const std::vector<Tensor>& inputs, std::optional<double> timestep) const {
  return state_->evaluate(state_->graph.nodes.at(node), inputs, timestep);
}

Tensor Executor::input(int node, const NamedTensors& inputs) const {
  return state_->input(state_->graph.nodes.at(node), inputs);
}

void Executor::check_names(const NamedTensors& inputs) const {
  std::vector<std::string> known;
  for (const Node& node : state_->graph.nodes)
    if (node.op == Op::kInput) known.push_back(node.id);
  for (const auto& [name, tensor] : inputs)
    SVDLAB_REQUIRE(std::find(known.begin(), known.end(), name) != known.end(), Errc::kConfig,
                   "the model has no input \"", name, "\"; nearest: \"", nearest(name, known), "\"");
}

std::optional<double> Executor::timestep_of(const NamedTensors& inputs) const {
  return state_->has_ranges() ? common_timestep(inputs) : std::nullopt;
}

Tensor Executor::run(const NamedTensors& inputs, const Observer& observer) const {
  const Graph& graph = state_->graph;
  check_names(inputs);
  const std::optional<double> timestep = timestep_of(inputs);
  std::vector<Tensor> values(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    std::vector<Tensor> in;
    for (const int index : node.inputs) in.push_back(values[index]);
    values[i] = node.op == Op::kInput ? state_->input(node, inputs) : state_->evaluate(node, in, timestep);
    if (observer) observer(static_cast<int>(i), in, values[i]);
    for (const int index : node.inputs)
      if (state_->last_use[index] == static_cast<int>(i) && index != graph.output) values[index] = Tensor();
  }
  return values[graph.output];
}

}  // namespace svdlab
