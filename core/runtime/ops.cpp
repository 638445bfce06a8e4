#include "core/runtime/ops.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/runtime/compat.h"

namespace svdlab {
namespace {

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) {
#if SVDLAB_TORCH_AT_LEAST(2, 9)
  if (x.is_cuda()) return at::rms_norm(x, {x.size(-1)}, weight.to(x.scalar_type()), eps);
#endif
  return x * at::rsqrt(x.square().mean(-1, true) + eps) * weight;
}

/// [B, S, H, d] with interleaved pairs (x0, x1) -> (x0 cos - x1 sin, x0 sin + x1 cos), one angle per token
/// and pair.
Tensor rope(const Tensor& x, const Tensor& table) {
  std::vector<int64_t> pairs = x.sizes().vec();
  pairs.back() /= 2;
  pairs.push_back(2);
  const Tensor turned =
      at::view_as_complex(x.to(at::kFloat).reshape(pairs)) * at::view_as_complex(table).unsqueeze(1);
  return at::view_as_real(turned).flatten(-2).to(x.scalar_type());
}

Tensor rope_table(const Node& node, const Tensor& txt_ids, const Tensor& img_ids) {
  const Tensor positions = at::cat({txt_ids, img_ids}).to(at::kDouble);  // [S, axes]
  const int axes = static_cast<int>(node.attribute("axes"));
  SVDLAB_REQUIRE(positions.dim() == 2 && positions.size(1) == axes, Errc::kInput,
                 "txt_ids, img_ids: ", positions.sizes(), " must be [tokens, ", axes, "]");
  std::vector<Tensor> angles;
  for (int a = 0; a < axes; ++a) {
    const double dim = node.attribute("dim" + std::to_string(a));
    const Tensor exponent = at::arange(0, dim, 2, positions.options()) / dim;
    const Tensor frequency =
        at::pow(at::scalar_tensor(node.attribute("theta"), positions.options()), exponent).reciprocal();
    angles.push_back(positions.select(1, a).unsqueeze(1) * frequency);
  }
  const Tensor angle = at::cat(angles, 1);  // [S, d/2]
  return at::stack({angle.cos(), angle.sin()}, -1).to(at::kFloat);
}

Tensor timestep_embedding(const Node& node, const Tensor& t) {
  const int64_t half = static_cast<int64_t>(node.attribute("dim")) / 2;
  const Tensor time = t.to(at::kFloat) * node.attribute("scale");
  const Tensor frequency =
      at::exp(at::arange(half, time.options()) * (-std::log(10000.0) / static_cast<double>(half)));
  const Tensor angle = time.unsqueeze(1) * frequency;
  return at::cat({angle.cos(), angle.sin()}, 1);
}

// Scores of all heads at once would be gigabytes at 4608 tokens; heads are taken in runs that stay near this
// size.
constexpr int64_t kScoreElements = int64_t{1} << 25;

Tensor attention_cpu(const Tensor& q, const Tensor& k, const Tensor& v) {
  const int64_t batch = q.size(0), tokens = q.size(1), heads = q.size(2), dim = q.size(3);
  const auto flat = [&](const Tensor& x) {
    return x.permute({0, 2, 1, 3}).reshape({batch * heads, x.size(1), dim});
  };
  const Tensor qf = flat(q) * (1.0 / std::sqrt(static_cast<double>(dim)));
  const Tensor kt = flat(k).transpose(1, 2), vf = flat(v);
  const int64_t run = std::max<int64_t>(1, kScoreElements / (tokens * tokens));
  std::vector<Tensor> parts;
  for (int64_t h = 0; h < batch * heads; h += run) {
    const int64_t end = std::min(h + run, batch * heads);
    parts.push_back(
        at::bmm(at::softmax(at::bmm(qf.slice(0, h, end), kt.slice(0, h, end)), -1), vf.slice(0, h, end)));
  }
  const Tensor out = parts.size() == 1 ? parts[0] : at::cat(parts);
  return out.view({batch, heads, tokens, dim}).permute({0, 2, 1, 3}).reshape({batch, tokens, heads * dim});
}

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v) {
#if SVDLAB_TORCH_AT_LEAST(2, 1)
  if (q.is_cuda()) {
    // With gradients flash attention serves instead: cuDNN's backward fails on 260 tokens of 64 channels
    // (torch 2.11, sm_90). Without, torch chooses.
    const bool gradients =
        at::GradMode::is_enabled() && (q.requires_grad() || k.requires_grad() || v.requires_grad());
    at::globalContext().setSDPUseCuDNN(!gradients);
    return at::scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        .transpose(1, 2)
        .flatten(2);
  }
#endif
  return attention_cpu(q, k, v);
}

Tensor tokens_like(const Node& node, const Tensor& x, const Tensor& reference) {
  const int64_t cut = reference.size(1);
  return node.attribute("rest") != 0 ? x.slice(1, cut) : x.slice(1, 0, cut);
}

Tensor heads(const Node& node, const Tensor& x) {
  const int64_t count = static_cast<int64_t>(node.attribute("heads"));
  return x.view({x.size(0), x.size(1), count, x.size(2) / count});
}

Tensor concat_axis(const Node& node, std::vector<Tensor> inputs) {
  return at::cat(inputs, static_cast<int64_t>(node.attribute("axis")));
}

}  // namespace

Tensor run_op(const Node& node, const std::vector<Tensor>& in, const Tensor& parameter, Precision precision) {
  switch (node.op) {
    case Op::kLayerNorm:
      return at::layer_norm(in[0], {in[0].size(-1)}, {}, {}, node.attribute("eps"));
    case Op::kRmsNorm:
      return rms_norm(in[0], parameter, node.attribute("eps"));
    case Op::kModulate:
      return at::addcmul(in[2].unsqueeze(1), in[0], round_to(in[1] + 1, precision).unsqueeze(1));
    case Op::kGatedAdd:
      return at::addcmul(in[0], in[1].unsqueeze(1), in[2]);
    case Op::kGelu:
      return at::gelu(in[0], "tanh");
    case Op::kSilu:
      return at::silu(in[0]);
    case Op::kAttention:
      return attention(in[0], in[1], in[2]);
    case Op::kRope:
      return rope(in[0], in[1]);
    case Op::kRopeTable:
      return rope_table(node, in[0], in[1]);
    case Op::kAdd:
      return in[0] + in[1];
    case Op::kConcat:
      return concat_axis(node, in);
    case Op::kSlice:
      return in[0].slice(-1, static_cast<int64_t>(node.attribute("begin")),
                         static_cast<int64_t>(node.attribute("end")));
    case Op::kTokensLike:
      return tokens_like(node, in[0], in[1]);
    case Op::kHeads:
      return heads(node, in[0]);
    case Op::kTimestepEmbedding:
      return timestep_embedding(node, in[0]);
    case Op::kInput:
    case Op::kLinear:
      break;
  }
  throw Error(Errc::kUnexpected, "run_op: " + node.id + " is a " + to_string(node.op));
}

}  // namespace svdlab
