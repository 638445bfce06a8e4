#pragma once
#include <string>
#include <vector>

#include "experiments/repro/measured.h"
#include "experiments/repro/paper_table.h"

namespace svdlab {

/// Share of the distance between two rows within which two others count as alike.
inline constexpr double kAlikeShare = 0.25;

/// What our data says of a published ordering. `better - worse` is taken over the items that both rows have,
/// with a paired 95 % bootstrap interval; its sign is turned where lower is better. Without values of the
/// items, the interval is the widest that the two rows' own intervals allow.
enum class Outcome {
  kHolds,  ///< interval above 0; alike: interval within kAlikeShare of the gauge's distance on both sides
  kContradicted,  ///< interval below 0; alike: interval outside of that
  kUndecided,     ///< neither, or not finite
  kUntested       ///< a row is missing
};
std::string to_string(Outcome outcome);

struct TestedOrdering {
  PaperOrdering published;
  Outcome outcome = Outcome::kUntested;
  Interval difference;   ///< better - worse in the metric's own unit and sign
  double margin = 0;     ///< alike: how far apart still counts as alike
  std::string untested;  ///< why
};

/// Every published ordering of the table, in its order.
std::vector<TestedOrdering> test_orderings(const PaperTable& table, const MeasuredTable& measured);

enum class Verdict { kReproduced, kDirectionReproduced, kNotReproduced, kNotComparable };
std::string to_string(Verdict verdict);

struct JudgedCell {
  PaperCell published;
  const MeasuredValue* measured = nullptr;  ///< into the MeasuredTable that was judged
  Verdict verdict = Verdict::kNotComparable;
  std::string reason;  ///< in words; always there
};

struct Judgement {
  std::vector<TestedOrdering> orderings;
  std::vector<JudgedCell> cells;
};

/// The rules of judge(), the first that fits decides:
///   not comparable        nothing of ours stands beside the cell, or ours is of another model or definition
///   and
///                         no published ordering that includes the cell could be tested; a row or metric that
///                         only stands in for the published one is tested by orderings alone
///   not reproduced        our value is not finite, or a published ordering of the cell is contradicted
///   reproduced            same model, steps and metric implementation, and our value is within the metric's
///   band
///                         of the published one, or below its limit
///   direction reproduced  every published ordering of the cell that could be tested holds, at least one
///   not reproduced        all else: the value is off, or an ordering stays undecided
Judgement judge(const PaperTable& table, const MeasuredTable& measured);

/// The rules as lines of text, for people who read a result.
std::vector<std::string> verdict_rules();

}  // namespace svdlab
