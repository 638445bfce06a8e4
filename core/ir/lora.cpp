#include "core/ir/lora.h"

#include <algorithm>

#include "core/base/error.h"

namespace svdlab {
namespace {

struct Member {
  CompressedLinear* linear;
  LowRankBranch* branch;  // null: it has none yet
  std::span<const LoraDelta> deltas;
};

LowRankBranch* low_rank_of(CompressedLinear& linear) {
  for (Branch& branch : linear.branches)
    if (auto* found = std::get_if<LowRankBranch>(&branch)) return found;
  return nullptr;
}

/// Linears by the down factor they share.
std::vector<std::vector<Member>> partitions(std::span<CompressedLinear> linears, const LoraDeltas& deltas) {
  std::vector<std::vector<Member>> out;
  for (CompressedLinear& linear : linears) {
    Member member{&linear, low_rank_of(linear), {}};
    if (const auto found = deltas.find(linear.name); found != deltas.end()) member.deltas = found->second;
    const auto shares = [&](const std::vector<Member>& part) {
      return member.branch && part[0].branch && part[0].branch->down.is_same(member.branch->down);
    };
    const auto part = std::find_if(out.begin(), out.end(), shares);
    if (part == out.end())
      out.push_back({member});
    else
      part->push_back(member);
  }
  return out;
}

void check(const Member& m, const LoraDelta& d) {
  SVDLAB_REQUIRE(
      m.linear->ranges.empty(), Errc::kConfig, "linear ", m.linear->name,
      " has a variant for each range of timesteps, which no adapter can join; merge the adapter and "
      "quantize again");
  for (const Branch& branch : m.linear->branches)
    SVDLAB_REQUIRE(
        !std::holds_alternative<ColumnsBranch>(branch), Errc::kConfig, "linear ", m.linear->name,
        " keeps columns in 16 bit that its low-rank branch does not see, so no adapter can join it; "
        "merge the adapter and quantize again");
  const int64_t out = m.linear->out_features(), in = m.linear->in_features();
  SVDLAB_REQUIRE(d.down.dim() == 2 && d.up.dim() == 2 && d.down.size(1) == in && d.up.size(0) == out &&
                     d.down.size(0) == d.up.size(1),
                 Errc::kInput, "linear ", m.linear->name, " is [", out, ", ", in,
                 "], the adapter's factors are ", d.up.sizes(), " and ", d.down.sizes());
}

// The down factor of a partition with what its members' adapters add to it.
class StackedDown {
 public:
  explicit StackedDown(const Member& first) : transform_(first.linear->online()) {
    if (first.branch) parts_.push_back(first.branch->down);
    rank_ = first.branch ? first.branch->rank() : 0;
  }

  /// First of the ranks that hold `down`.
  int64_t rank_of(const Tensor& down) {
    for (const auto& [known, begin] : added_)
      if (known.is_same(down) || (known.scalar_type() == down.scalar_type() && known.equal(down)))
        return begin;
    parts_.push_back(transform_.weight(down.to(at::kFloat)));
    added_.emplace_back(down, rank_);
    rank_ += down.size(0);
    return added_.back().second;
  }

  int64_t rank() const { return rank_; }
  Tensor take() const { return at::cat(parts_, 0); }

 private:
  OnlineTransform transform_;
  std::vector<Tensor> parts_;
  std::vector<std::pair<Tensor, int64_t>> added_;  // as given, first rank
  int64_t rank_ = 0;
};

// What a constant of the transform adds through the new ranks comes off the bias again.
void take_constant_out(CompressedLinear& linear, const Tensor& down, const Tensor& up) {
  const Tensor constant = linear.online().constant(linear.in_features());
  if (!constant.defined()) return;
  const Tensor added = at::mv(up.to(at::kDouble), at::mv(down.to(at::kDouble), constant.to(at::kDouble)));
  const Tensor bias = linear.bias.defined() ? linear.bias.to(at::kDouble) : at::zeros_like(added);
  linear.bias = (bias - added).to(at::kFloat);
}

struct Placed {
  size_t member;
  const LoraDelta* delta;
  int64_t rank;  // its first
};

void append(std::vector<Member>& part) {
  StackedDown stacked(part[0]);
  std::vector<Placed> placed;
  for (size_t i = 0; i < part.size(); ++i)
    for (const LoraDelta& d : part[i].deltas) {
      check(part[i], d);
      if (d.scale != 0) placed.push_back({i, &d, stacked.rank_of(d.down)});
    }
  if (placed.empty()) return;
  const Tensor down = stacked.take();
  const int64_t before = part[0].branch ? part[0].branch->rank() : 0;
  for (size_t i = 0; i < part.size(); ++i) {
    Tensor up = at::zeros({part[i].linear->out_features(), stacked.rank()}, at::kFloat);
    if (part[i].branch) up.slice(1, 0, part[i].branch->rank()).copy_(part[i].branch->up);
    for (const Placed& p : placed)
      if (p.member == i)
        up.slice(1, p.rank, p.rank + p.delta->up.size(1))
            .add_((p.delta->up.to(at::kDouble) * p.delta->scale).to(at::kFloat));
    take_constant_out(*part[i].linear, down.slice(0, before), up.slice(1, before));
    if (part[i].branch) {
      part[i].branch->down = down;
      part[i].branch->up = up;
    } else {
      part[i].linear->branches.emplace_back(LowRankBranch{down, up});
    }
  }
}

}  // namespace

Tensor merged_weight(const Tensor& weight, std::span<const LoraDelta> deltas) {
  Tensor out = weight.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  for (const LoraDelta& d : deltas) out.addmm_(d.up.to(at::kFloat), d.down.to(at::kFloat), 1, d.scale);
  return out;
}

void append_lora(std::span<CompressedLinear> linears, const LoraDeltas& deltas) {
  for (std::vector<Member>& part : partitions(linears, deltas)) append(part);
}

}  // namespace svdlab
