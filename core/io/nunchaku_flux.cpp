#include "core/io/nunchaku_flux.h"

#include "core/base/error.h"

namespace svdlab {
namespace {

struct Rule {
  const char* linear;  // the first member, behind the block's name
  const char *current, *old;
  std::vector<const char*> others = {};  // members behind the first
  int64_t chunks = 0;
};

// FLUX's double blocks in Nunchaku.
const std::vector<Rule> kDouble = {
    {"norm1.linear", "norm1.linear", "norm1.linear", {}, 6},
    {"norm1_context.linear", "norm1_context.linear", "norm1_context.linear", {}, 6},
    {"attn.to_q", "attn.to_qkv", "qkv_proj", {"attn.to_k", "attn.to_v"}},
    {"attn.add_q_proj", "attn.add_qkv_proj", "qkv_proj_context", {"attn.add_k_proj", "attn.add_v_proj"}},
    {"attn.to_out.0", "attn.to_out.0", "out_proj"},
    {"attn.to_add_out", "attn.to_add_out", "out_proj_context"},
    {"ff.net.0.proj", "ff.net.0.proj", "mlp_fc1"},
    {"ff.net.2", "ff.net.2", "mlp_fc2"},
    {"ff_context.net.0.proj", "ff_context.net.0.proj", "mlp_context_fc1"},
    {"ff_context.net.2", "ff_context.net.2", "mlp_context_fc2"},
};

// And its single blocks, but for proj_out.
const std::vector<Rule> kSingle = {
    {"norm.linear", "norm.linear", "norm.linear", {}, 3},
    {"attn.to_q", "attn.to_qkv", "qkv_proj", {"attn.to_k", "attn.to_v"}},
    {"proj_mlp", "mlp_fc1", "mlp_fc1"},
};

// Adds what `rules` make of a linear; false when they do not know it.
bool apply(const std::vector<Rule>& rules, const LinearSpec& linear, std::vector<NunchakuLinear>& out) {
  const std::string prefix = linear.block + ".", local = linear.name.substr(prefix.size());
  for (const Rule& rule : rules) {
    for (const char* other : rule.others)
      if (local == other) return true;
    if (local != rule.linear) continue;
    NunchakuLinear item{.current = prefix + rule.current,
                        .old = prefix + rule.old,
                        .members = {linear.name},
                        .range = {0, linear.in_features(), linear.segments.front().producer},
                        .chunks = rule.chunks};
    for (const char* other : rule.others) item.members.push_back(prefix + other);
    out.push_back(item);
    return true;
  }
  return false;
}

}  // namespace

std::vector<NunchakuLinear> nunchaku_flux_linears(const Graph& flux) {
  SVDLAB_REQUIRE(flux.architecture == "flux", Errc::kConfig, "Nunchaku files are written for FLUX, not for ",
                 flux.architecture, "; choose nunchaku-lite");
  std::vector<NunchakuLinear> out;
  for (const LinearSpec& linear : flux.linears) {
    if (linear.block.empty()) continue;
    const std::string block = linear.block + ".";
    const bool single = block.rfind("single_", 0) == 0;
    if (single && linear.name == block + "proj_out") {
      out.push_back({block + "attn.to_out", block + "out_proj", {linear.name}, linear.segments.at(0)});
      out.push_back({block + "mlp_fc2", block + "mlp_fc2", {linear.name}, linear.segments.at(1)});
      continue;
    }
    SVDLAB_REQUIRE(apply(single ? kSingle : kDouble, linear, out), Errc::kConfig, "linear ", linear.name,
                   ": Nunchaku's FLUX has no such linear");
  }
  return out;
}

std::string nunchaku_old_name(const std::string& tensor) {
  const size_t at = tensor.find(".attn.norm_");
  return at == std::string::npos ? tensor : tensor.substr(0, at) + tensor.substr(at + 5);
}

}  // namespace svdlab
