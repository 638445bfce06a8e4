#pragma once
#include <string>

#include "experiments/repro/verdict.h"

namespace svdlab {

/// What stands above every view: source, published protocol, what was measured and of which model, notes.
std::vector<std::string> repro_caption(const PaperTable& table, const MeasuredTable& measured);

/// One row an ordering. Its head names our model.
Table ordering_table(const PaperTable& table, const MeasuredTable& measured, const Judgement& judgement);

/// One row a cell of one section, or of all sections ("") with the model's names in columns of their own:
/// published and measured values never share a column.
Table verdict_table(const PaperTable& table, const MeasuredTable& measured, const Judgement& judgement,
                    const std::string& section);

/// "2 reproduced, 14 direction reproduced, ..."
std::string verdict_counts(const Judgement& judgement);

/// Caption, orderings, a table a section, rules, counts: for a terminal, and as Markdown.
std::string repro_text(const PaperTable& table, const MeasuredTable& measured, const Judgement& judgement);
std::string repro_markdown(const PaperTable& table, const MeasuredTable& measured,
                           const Judgement& judgement);
/// The same as one JSON document.
std::string repro_json(const PaperTable& table, const MeasuredTable& measured, const Judgement& judgement);

/// verdicts.{md,csv,json} and orderings.csv in `folder`.
void write_repro(const std::string& folder, const PaperTable& table, const MeasuredTable& measured,
                 const Judgement& judgement);

}  // namespace svdlab
