#include "core/runtime/fused_executor.h"

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/runtime/fused_linear.h"
#include "core/runtime/kernel_stream.h"
#include "core/runtime/single_thread.h"
#include "core/runtime/weight_only_linear.h"

namespace svdlab {
namespace {

/// Values of graph nodes while it runs, by node; undefined: not there yet, or no longer.
using Values = std::vector<Tensor>;

at::Device checked_device(at::Device device) {
  if (device.is_cpu()) return device;
  const std::string problem = gpu_problem();
  SVDLAB_REQUIRE(problem.empty(), Errc::kConfig, "unsupported: the fused kernels on ", device.str(), ": ",
                 problem);
  return device;
}

/// A fused node's weights, in one of two forms.
struct Packed {
  std::unique_ptr<FusedLinear> quantized;
  std::unique_ptr<WeightOnlyLinear> weight_only;
};

}  // namespace

struct FusedExecutor::State {
  const Graph& graph;
  at::Device device;
  FusionPlan plan;
  CompressedModel rest;                // linears without a kernel
  std::unique_ptr<Executor> torch;     // evaluates what is not fused
  std::vector<Packed> packed;          // by fused node
  std::vector<int> fused_at;           // node -> fused node that runs in its turn, or -1
  std::vector<bool> covered;           // by node
  std::vector<std::vector<int>> ends;  // node -> values that nobody reads after it
  std::map<int, Tensor> norm_weights;  // rms_norm nodes behind fused products: fp32 on the device

  State(const Graph& g, const CompressedModel& model, const Options& options)
      : graph(g),
        device(checked_device(options.device)),
        plan(plan_fusion(g, model, kernel_architecture(device))),
        packed(plan.nodes.size()),
        fused_at(g.nodes.size(), -1),
        covered(g.nodes.size(), false) {
    std::set<int> fused_linears;
    for (size_t i = 0; i < plan.nodes.size(); ++i) {
      fused_at[plan.nodes[i].at] = static_cast<int>(i);
      for (const int node : plan.nodes[i].covers) {
        covered[node] = true;
        if (graph.nodes[node].linear >= 0) fused_linears.insert(graph.nodes[node].linear);
      }
    }
    for (const auto& [name, linear] : model.linears)
      if (fused_linears.count(graph.linear_index(name)) == 0) rest.linears[name] = linear;
    torch = std::make_unique<Executor>(
        graph, Executor::Options{.compressed = &rest, .device = device, .elsewhere = fused_linears});
    set_ends();
    set_norm_weights();
    parallel_for(static_cast<int64_t>(plan.nodes.size()), options.threads,
                 [&](int64_t i, int) { pack(model, options, i); });
  }

  void pack(const CompressedModel& model, const Options& options, int64_t index) {
    const SingleThreadScope one_thread;
    const FusedNode& node = plan.nodes[index];
    const FusedOptions fused{device, kernel_architecture(device), options.two_part_down};
    std::vector<FusedLinear::Members> products;
    for (const FusedNode::Product& p : node.products) {
      products.emplace_back();
      for (const int n : p.nodes)
        products.back().push_back(&model.linears.at(graph.linears[graph.nodes[n].linear].name));
    }
    if (node.weight_only)
      packed[index].weight_only = std::make_unique<WeightOnlyLinear>(*products[0][0], fused);
    else
      packed[index].quantized = std::make_unique<FusedLinear>(products, fused);
  }

  void set_norm_weights() {
    for (const FusedNode& node : plan.nodes)
      for (const FusedNode::Product& p : node.products)
        for (const int norm :
             p.heads ? std::vector{p.heads->query_norm, p.heads->key_norm} : std::vector<int>())
          norm_weights[norm] =
              graph.parameters.at(graph.nodes[norm].parameter).to(device, at::kFloat).contiguous();
  }

  /// The nodes that are read when node `i` has its turn.
  std::vector<int> read_at(int i) const {
    if (fused_at[i] < 0) return covered[i] ? std::vector<int>() : graph.nodes[i].inputs;
    std::vector<int> out;
    const FusedNode& fused = plan.nodes[fused_at[i]];
    for (const FusedNode::Source& s : fused.sources)
      for (const int node : {s.node, s.scale, s.shift})
        if (node >= 0) out.push_back(node);
    for (const FusedNode::Product& p : fused.products)
      if (p.heads) out.push_back(p.heads->table);
    return out;
  }

  void set_ends() {
    const int count = static_cast<int>(graph.nodes.size());
    std::vector<int> last(count, -1);
    for (int i = 0; i < count; ++i)
      for (const int node : read_at(i)) last[node] = i;
    ends.resize(count);
    for (int node = 0; node < count; ++node)
      if (last[node] >= 0 && node != graph.output) ends[last[node]].push_back(node);
  }

  /// As it is kept between nodes.
  Tensor kept(int node, const Tensor& value) const {
    return stays_fp32(graph.nodes[node]) ? value : value.to(at::kBFloat16);
  }

  Tensor evaluate(int node, std::vector<Tensor> inputs, std::optional<double> timestep) const {
    if (device.is_cpu())
      for (Tensor& t : inputs) t = t.to(at::kFloat);
    return kept(node, torch->run_node(node, inputs, timestep));
  }

  /// A view of item b of a batch as [tokens, channels]; b < 0: of all items.
  static Tensor rows_of(const Tensor& x, int64_t b) {
    const Tensor rows = b < 0 ? x.reshape({-1, x.size(-1)}) : x[b];
    return rows.stride(1) == 1 && rows.stride(0) % 8 == 0 ? rows : rows.contiguous();
  }

  std::vector<FusedSource> sources_of(const FusedNode& node, const Values& values, int64_t b) const {
    std::vector<FusedSource> out;
    for (const FusedNode::Source& s : node.sources) {
      FusedSource source{.x = rows_of(values[s.node], b), .step = s.step, .epsilon = s.epsilon};
      if (s.scale >= 0) {
        source.scale = values[s.scale][std::max<int64_t>(b, 0)].contiguous();
        source.shift = values[s.shift][std::max<int64_t>(b, 0)].contiguous();
      }
      out.push_back(std::move(source));
    }
    return out;
  }

  FusedHeads heads_of(const FusedNodeHeads& h, const Tensor& table, int64_t first, int64_t tokens) const {
    return {.heads = h.heads,
            .head_dim = h.head_dim,
            .query_weight = norm_weights.at(h.query_norm),
            .key_weight = norm_weights.at(h.key_norm),
            .epsilon = graph.nodes[h.query_norm].attribute("eps"),
            .table = table.slice(0, first, first + tokens)};
  }

  /// Memory for a product's result, [B, tokens, columns], and the tokens of it that are this product's.
  struct Target {
    Tensor memory;
    int64_t first = 0;
  };

  Target target_of(const FusedNode::Product& p, const Tensor& x, const Values& values,
                   std::map<int, Tensor>& joint) const {
    int64_t columns = 0;
    for (const int node : p.nodes) columns += graph.linears[graph.nodes[node].linear].out_features();
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = columns;
    const bool is_part = p.heads && p.heads->part != TokenPart::kAll;
    const int64_t own = shape[shape.size() - 2];
    if (is_part) shape[1] = values[p.heads->table].size(0);
    const at::TensorOptions options = x.options().dtype(at::kBFloat16);
    if (!is_part) return {at::empty(shape, options), 0};
    Tensor& memory = joint[p.heads->query];
    if (!memory.defined()) memory = at::empty(shape, options);
    return {memory, p.heads->part == TokenPart::kLast ? shape[1] - own : 0};
  }

  /// What graph nodes hold of a product's result.
  void publish(const FusedNode::Product& p, const Target& target, Values& values) const {
    if (p.heads) {
      const int64_t width = p.heads->heads * p.heads->head_dim;
      const int nodes[] = {p.heads->query, p.heads->key, p.heads->value};
      for (int64_t i = 0; i < 3; ++i)
        values[nodes[i]] = target.memory.slice(2, i * width, (i + 1) * width)
                               .view({target.memory.size(0), -1, p.heads->heads, p.heads->head_dim});
      return;
    }
    int64_t column = 0;
    for (const int node : p.nodes) {
      const int64_t end = column + graph.linears[graph.nodes[node].linear].out_features();
      values[node] = p.nodes.size() == 1 ? target.memory : target.memory.slice(-1, column, end);
      column = end;
    }
  }

  void run_quantized(size_t index, Values& values, std::map<int, Tensor>& joint) const {
    const FusedNode& node = plan.nodes[index];
    const FusedLinear& linear = *packed[index].quantized;
    const Tensor& x = values[node.sources[0].node];
    std::vector<Target> targets;
    bool item_by_item = node.sources[0].step == InputStep::kLayerNormModulate;
    for (const FusedNode::Product& p : node.products) {
      targets.push_back(target_of(p, x, values, joint));
      item_by_item |= p.heads.has_value();
    }
    const int64_t items = item_by_item ? x.size(0) : 1, tokens = x.size(-2);
    for (int64_t b = 0; b < items; ++b) {
      const FusedInput input = linear.quantize(sources_of(node, values, item_by_item ? b : -1));
      for (size_t p = 0; p < node.products.size(); ++p) {
        Tensor out = item_by_item ? targets[p].memory[b].slice(0, targets[p].first, targets[p].first + tokens)
                                  : targets[p].memory.view({-1, targets[p].memory.size(-1)});
        const auto& h = node.products[p].heads;
        const FusedHeads heads = h ? heads_of(*h, values[h->table], targets[p].first, tokens) : FusedHeads();
        linear.multiply(p, input, out, h ? &heads : nullptr);
      }
    }
    for (size_t p = 0; p < node.products.size(); ++p) publish(node.products[p], targets[p], values);
  }

  void run_fused(size_t index, Values& values, std::map<int, Tensor>& joint) const {
    const FusedNode& node = plan.nodes[index];
    if (!node.weight_only) return run_quantized(index, values, joint);
    const Tensor& x = values[node.sources[0].node];
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = graph.linears[graph.nodes[node.at].linear].out_features();
    values[node.at] = packed[index].weight_only->run(rows_of(x, -1)).view(shape);
  }

  static std::vector<int> border_nodes(const FusedNode::Product& p) {
    return p.heads ? std::vector{p.heads->query, p.heads->key, p.heads->value} : p.nodes;
  }
};

FusedExecutor::FusedExecutor(const Graph& graph, const CompressedModel& model, const Options& options)
    : state_(std::make_unique<State>(graph, model, options)) {}

FusedExecutor::~FusedExecutor() = default;

const FusionPlan& FusedExecutor::plan() const { return state_->plan; }

Tensor FusedExecutor::run(const NamedTensors& inputs, const Observer& observer) const {
  const NoGradGuard no_grad;
  const State& s = *state_;
  s.torch->check_names(inputs);
  const std::optional<double> timestep = s.torch->timestep_of(inputs);
  Values values(s.graph.nodes.size());
  std::map<int, Tensor> joint;  // results that two products make together, by query node
  for (int i = 0; i < static_cast<int>(values.size()); ++i) {
    std::vector<int> made;
    std::vector<Tensor> in;
    for (const int node : s.read_at(i)) in.push_back(values[node]);
    if (s.fused_at[i] >= 0) {
      s.run_fused(s.fused_at[i], values, joint);
      for (const FusedNode::Product& p : s.plan.nodes[s.fused_at[i]].products)
        for (const int node : State::border_nodes(p)) made.push_back(node);
    } else if (!s.covered[i]) {
      values[i] = s.graph.nodes[i].op == Op::kInput ? s.kept(i, s.torch->input(i, inputs))
                                                    : s.evaluate(i, in, timestep);
      made = {i};
    }
    if (observer)
      for (const int node : made) observer(node, in, values[node]);
    for (const int node : s.ends[i]) {
      values[node] = Tensor();
      joint.erase(node);
    }
  }
  return values[s.graph.output];
}

std::vector<FusedExecutor::Border> FusedExecutor::run_fused(size_t index,
                                                            const std::vector<Tensor>& given) const {
  const NoGradGuard no_grad;
  const State& s = *state_;
  const FusedNode& node = s.plan.nodes.at(index);
  Values values(s.graph.nodes.size());
  for (const int read : s.read_at(node.at)) {
    SVDLAB_REQUIRE(given.at(read).defined(), Errc::kUnexpected, node.name, ": no value of ",
                   s.graph.nodes[read].id);
    values[read] = s.kept(read, given[read].to(s.device));
  }
  std::map<int, Tensor> joint;
  s.run_fused(index, values, joint);
  std::vector<Border> out;
  for (const FusedNode::Product& p : node.products) {
    const int64_t tokens = values[node.sources[0].node].size(-2);
    for (const int n : State::border_nodes(p)) {
      Border border{n, 0, values[n]};
      if (p.heads && p.heads->part == TokenPart::kLast) border.first_token = values[n].size(1) - tokens;
      if (p.heads && p.heads->part != TokenPart::kAll)
        border.value = values[n].slice(1, border.first_token, border.first_token + tokens);
      out.push_back(std::move(border));
    }
  }
  return out;
}

int64_t FusedExecutor::packed_bytes() const {
  int64_t out = 0;
  for (const Packed& p : state_->packed) out += p.quantized ? p.quantized->bytes() : p.weight_only->bytes();
  return out;
}

}  // namespace svdlab
