#pragma once
#include <string>
#include <vector>

#include "experiments/study/study_config.h"

namespace svdlab {

/// What `svdlab quantize` does with each layer: one cell of a study.
///   scheme: int4           what the plan's $scheme stands for
///   method: svdquant-gptq  ... and its $method
///   plan: default          or a list of {match, recipe, optional}, see README.md
///   schemes: {name: ...}   own schemes and methods, written as in a study
///   methods: {name: ...}
///   score_tokens: 1024     reservoir tokens a search scores candidates on
struct QuantizeConfig {
  Cell cell;
  int64_t score_tokens = 1024;
};

/// Reads files laid over each other, then `a.b=c` overrides; strict as load_study.
QuantizeConfig load_quantize_config(const std::vector<std::string>& files,
                                    const std::vector<std::string>& overrides);

/// Everything that decides the result for one model: the rules in full, none of them by name alone.
Value resolved_config(const Plan& plan, int64_t score_tokens);

}  // namespace svdlab
