#include <algorithm>
#include <cmath>

#include "eval/bootstrap.h"
#include "experiments/analyze/analysis.h"
#include "experiments/analyze/analysis_table.h"
#include "experiments/analyze/model_effect.h"
#include "experiments/analyze/sensitivity_units.h"
#include "experiments/study/progress.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

/// One compressed model that was measured.
struct Trial {
  std::string mode;  ///< "all", "only", "all-but"
  SensitivityUnit unit;
  std::vector<ItemEffect> effects;

  std::vector<double> values(double ItemEffect::*field) const {
    std::vector<double> out;
    for (const ItemEffect& effect : effects) out.push_back(effect.*field);
    return out;
  }
  double latent_rel_error() const {
    double sum = 0;
    for (const ItemEffect& effect : effects) sum += effect.latent_rel_error;
    return sum / static_cast<double>(effects.size());
  }
};

/// Everything on, then each unit alone from the most harmful on, then everything but it in the same order.
std::vector<Trial> trials(const CompressedModel& model, const std::vector<SensitivityUnit>& units,
                          const EffectMeter& meter) {
  SensitivityUnit everything{.name = "all"};
  for (const SensitivityUnit& unit : units) {
    everything.linears.insert(unit.linears.begin(), unit.linears.end());
    everything.weights += unit.weights;
  }
  std::vector<Trial> out = {{"all", everything, meter.measure(model)}};
  Progress progress("  sensitivity, model");
  const int64_t total = static_cast<int64_t>(2 * units.size());
  int64_t done = 0;
  const auto add = [&](const std::string& mode, const SensitivityUnit& unit, const CompressedModel& part) {
    out.push_back({mode, unit, meter.measure(part)});
    progress.update(++done, total);
  };
  for (const SensitivityUnit& unit : units) add("only", unit, only(model, unit));
  std::stable_sort(out.begin() + 1, out.end(), [](const Trial& a, const Trial& b) {
    return a.latent_rel_error() > b.latent_rel_error();
  });
  for (size_t i = 1; i <= units.size(); ++i) {
    const SensitivityUnit unit = out[i].unit;
    add("all-but", unit, all_but(model, unit));
  }
  return out;
}

void add_trial(const std::string& cell, const Trial& trial, const Trial& all, Table& t) {
  const std::vector<double> pictures = trial.values(&ItemEffect::psnr_db);
  const Interval latent = bootstrap_mean(trial.values(&ItemEffect::latent_rel_error), "latent"),
                 psnr = bootstrap_mean(pictures, "psnr"),
                 gain = bootstrap_mean_difference(pictures, all.values(&ItemEffect::psnr_db), "psnr");
  texts(t, "cell").push_back(cell);
  texts(t, "mode").push_back(trial.mode);
  texts(t, "unit").push_back(trial.unit.name);
  integers(t, "linears").push_back(static_cast<int64_t>(trial.unit.linears.size()));
  integers(t, "weights").push_back(trial.unit.weights);
  numbers(t, "output_rel_error")
      .push_back(bootstrap_mean(trial.values(&ItemEffect::output_rel_error), "output").value);
  numbers(t, "latent_rel_error").push_back(latent.value);
  numbers(t, "latent_lo").push_back(latent.lo);
  numbers(t, "latent_hi").push_back(latent.hi);
  numbers(t, "psnr_db").push_back(psnr.value);
  numbers(t, "psnr_lo_db").push_back(psnr.lo);
  numbers(t, "psnr_hi_db").push_back(psnr.hi);
  numbers(t, "psnr_gain_db").push_back(gain.value);
  numbers(t, "psnr_gain_lo_db").push_back(gain.lo);
  numbers(t, "psnr_gain_hi_db").push_back(gain.hi);
  integers(t, "n").push_back(latent.n);
}

void add_items(const std::string& cell, const Trial& trial, const Reference& reference, Table& t) {
  for (size_t i = 0; i < trial.effects.size(); ++i) {
    texts(t, "cell").push_back(cell);
    texts(t, "mode").push_back(trial.mode);
    texts(t, "unit").push_back(trial.unit.name);
    texts(t, "item").push_back(reference.item(static_cast<int64_t>(i)).name);
    numbers(t, "output_rel_error").push_back(trial.effects[i].output_rel_error);
    numbers(t, "latent_rel_error").push_back(trial.effects[i].latent_rel_error);
    numbers(t, "psnr_db").push_back(trial.effects[i].psnr_db);
  }
}

}  // namespace

std::vector<Table> sensitivity(const Cell& cell, const CellContext& c, const AnalysisOptions& options) {
  const Graph& graph = c.reference.model().graph;
  const Compression compression = compress_cell(cell, c);
  const std::vector<SensitivityUnit> units = sensitivity_units(graph, compression.model, options.by);
  c.reference.ensure(c.study.protocol.items, c.schedule);
  const EffectMeter meter(c);
  Table table = analysis_table("/sensitivity"), items = analysis_table("/sensitivity_items");
  const std::vector<Trial> found = trials(compression.model, units, meter);
  for (const Trial& trial : found) {
    add_trial(cell.name, trial, found.front(), table);
    add_items(cell.name, trial, c.reference, items);
  }
  return {table, items};
}

}  // namespace svdlab
