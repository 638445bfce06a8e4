#include "lowrank/timestep_ranges.h"

#include <deque>

#include "core/base/error.h"

namespace svdlab {
namespace {

void check_ranges(std::span<const GroupProblem> problems) {
  const ActivationStats* first = problems.front().stats;
  for (const GroupProblem& p : problems) {
    SVDLAB_REQUIRE(
        p.stats && !p.stats->ranges.empty(), Errc::kConfig, "group ", p.name,
        ": timesteps ranges needs statistics by range of timesteps; calibrate with time_ranges, in "
        "a study calibration: {time_ranges: 4}");
    SVDLAB_REQUIRE(p.stats->ranges.size() == first->ranges.size(), Errc::kInput, "group ", p.name, ": ",
                   p.stats->ranges.size(), " ranges of timesteps, group ", problems.front().name,
                   ", tied to it, has ", first->ranges.size());
  }
}

// The problems as the tokens of one range show them; `kept` holds what they refer to.
std::vector<GroupProblem> of_range(std::span<const GroupProblem> problems, size_t range,
                                   std::deque<ActivationStats>& kept) {
  std::vector<GroupProblem> out;
  for (const GroupProblem& p : problems) {
    kept.push_back(p.stats->ranges[range].stats);
    kept.back().fisher = p.stats->fisher;
    out.push_back(p);
    out.back().stats = &kept.back();
  }
  return out;
}

double best_error(const CompressionLog& log) {
  return log.round_errors.empty() ? 0 : log.round_errors.at(static_cast<size_t>(log.best_round));
}

void add(CompressionLog& sum, const CompressionLog& range) {
  sum.residual_energy += range.residual_energy;
  sum.optimal_energy += range.optimal_energy;
  sum.total_energy += range.total_energy;
  sum.round_errors.front() += best_error(range);
  sum.search.insert(sum.search.end(), range.search.begin(), range.search.end());
  sum.search_seconds += range.search_seconds;
}

}  // namespace

GroupCompression compress_by_timestep(std::span<const GroupProblem> problems, const Recipe& recipe,
                                      const CompressionOptions& options) {
  check_ranges(problems);
  Recipe one = recipe;
  one.by_timestep = false;
  GroupCompression out;
  const std::vector<TimestepStats>& ranges = problems.front().stats->ranges;
  for (size_t r = 0; r < ranges.size(); ++r) {
    std::deque<ActivationStats> kept;
    GroupCompression part = compress_group(of_range(problems, r, kept), one, options);
    for (size_t i = 0; i < part.linears.size(); ++i) {
      if (r == 0) {
        out.linears.push_back({.name = part.linears[i].name});
        out.log.push_back(part.log[i]);
        out.log.back().method += "+timesteps";
        out.log.back().round_errors = {best_error(part.log[i])};
        out.log.back().best_round = 0;
      } else {
        add(out.log[i], part.log[i]);
      }
      out.linears[i].ranges.push_back({ranges[r].upper, std::move(part.linears[i])});
    }
  }
  return out;
}

}  // namespace svdlab
