#include "experiments/quantize/quantize_lora.h"

#include <cmath>
#include <set>

#include "core/base/error.h"
#include "core/io/lora_targets.h"
#include "core/io/safetensors_dtype.h"

namespace svdlab {
namespace {

std::vector<LinearShape> shapes_of(const Graph& graph) {
  std::vector<LinearShape> out;
  for (const LinearSpec& l : graph.linears) out.push_back({l.name, l.out_features(), l.in_features()});
  return out;
}

std::set<std::string> quantized_linears(const Graph& graph, const std::vector<CompressionJob>& jobs) {
  std::set<std::string> out;
  for (const CompressionJob& job : jobs)
    for (const CompressionJob::Share& share : job.shares)
      for (const int l : share.linears) out.insert(graph.linears[l].name);
  return out;
}

// What stays 16 bit is read from the checkpoint, which does not know the adapter.
void require_quantized(const LoraFile& lora, const MatchedLora& matched,
                       const std::set<std::string>& quantized) {
  const std::string fix = "; merge the adapter into a checkpoint first (svdlab lora merge) and quantize that";
  SVDLAB_REQUIRE(matched.unmatched.empty(), Errc::kConfig, lora.path, ": ", matched.unmatched.size(), " of ",
                 lora.modules.size(), " modules are no linears of the model, the first is ",
                 printable(matched.unmatched.front()), fix, ", with --partial");
  std::vector<std::string> outside;
  for (const auto& [linear, deltas] : matched.deltas)
    if (!quantized.count(linear)) outside.push_back(linear);
  SVDLAB_REQUIRE(outside.empty(), Errc::kConfig, lora.path, ": changes ", outside.size(),
                 " linears that stay 16 bit, the first is ", outside.front(), fix);
}

Value config_value(const LoraFile& lora, double strength, const MatchedLora& matched) {
  Value v = Value::map();
  v.at_or_add("name") = Value::text(lora.name);
  v.at_or_add("sha256") = Value::text(lora.sha256);
  v.at_or_add("strength") = Value::number(strength);
  v.at_or_add("linears") = Value::integer(static_cast<int64_t>(matched.deltas.size()));
  return v;
}

}  // namespace

LoraChoice parse_lora_choice(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || text.find('/', colon) != std::string::npos) return {text, 1};
  const std::string number = text.substr(colon + 1);
  char* end = nullptr;
  const double strength = std::strtod(number.c_str(), &end);
  SVDLAB_REQUIRE(!number.empty() && *end == '\0' && std::isfinite(strength), Errc::kConfig, "--lora ", text,
                 ": \"", number, "\" behind the colon is no strength; write FILE:0.8");
  return {text.substr(0, colon), strength};
}

LoraPlan plan_loras(const std::vector<LoraChoice>& choices, const Graph& graph,
                    const std::vector<CompressionJob>& jobs) {
  LoraPlan plan;
  const std::set<std::string> quantized = quantized_linears(graph, jobs);
  for (const LoraChoice& choice : choices) {
    const LoraFile lora = load_lora(choice.path);
    const MatchedLora matched = match_lora(lora, shapes_of(graph), choice.strength);
    require_quantized(lora, matched, quantized);
    for (const auto& [linear, deltas] : matched.deltas)
      plan.deltas[linear].insert(plan.deltas[linear].end(), deltas.begin(), deltas.end());
    plan.config.items.push_back(config_value(lora, choice.strength, matched));
    plan.files.push_back(lora.path);
  }
  return plan;
}

Graph merged_graph(const Graph& graph, const CompressionJob& job, const LoraDeltas& deltas) {
  Graph out = graph;
  for (const CompressionJob::Share& share : job.shares)
    for (const int l : share.linears) {
      LinearSpec& linear = out.linears[l];
      const auto found = deltas.find(linear.name);
      if (found != deltas.end()) linear.weight = merged_weight(linear.weight, found->second);
    }
  return out;
}

}  // namespace svdlab
