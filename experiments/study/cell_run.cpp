#include "experiments/study/cell_run.h"

#include <cmath>

#include "core/base/names.h"
#include "core/io/files.h"
#include "eval/bootstrap.h"
#include "eval/psnr.h"
#include "eval/sqnr.h"
#include "eval/ssim.h"
#include "experiments/sampling/latents.h"
#include "experiments/study/backend_tables.h"
#include "experiments/study/cell_config.h"
#include "experiments/study/image_grid.h"
#include "experiments/study/layer_metrics.h"
#include "experiments/study/layer_tables.h"
#include "experiments/study/progress.h"
#include "experiments/study/schema.h"
#include "experiments/study/table_rows.h"
#include "lowrank/compress_model.h"

namespace svdlab {
namespace {

Table& named(std::vector<Table>& tables, const std::string& name) {
  return const_cast<Table&>(*find_table(tables, name));
}

/// What sampling a compressed model gave, item by item.
struct Samples {
  std::vector<double> psnr, ssim;
  std::vector<Image> images;
  std::vector<std::string> digests;
  std::vector<std::vector<PairSums>> latents;  ///< item, then step + 1
};

struct Sampled {
  Image image;
  std::string digest;
  std::vector<PairSums> latents;
};

Sampled sample_item(const CellContext& c, const Sampler& sampler, int64_t i) {
  const Trajectory trajectory = sampler.run(c.reference.item(i));
  SVDLAB_REQUIRE(trajectory.latents.back().isfinite().all().item<bool>(), Errc::kInput,
                 "the run diverged: latents of ", c.reference.item(i).name, " are not finite");
  Sampled out;
  for (size_t step = 0; step < trajectory.latents.size(); ++step)
    out.latents.push_back(pair_sums(c.reference.trajectory(i).latents[step], trajectory.latents[step]));
  if (!c.reference.makes_pictures()) return out;
  out.image = to_image(decode_pixels(trajectory.latents.back(), c.reference.facts()));
  const std::string bytes = encode_png(out.image);
  out.digest = sha256(bytes);
  write_file(c.samples + "/" + c.reference.item(i).name + ".png", bytes);
  return out;
}

void add_items(const CellContext& c, const Sampler& sampler, int64_t begin, int64_t end, Samples& samples) {
  c.reference.ensure(end, c.schedule);
  std::vector<Sampled> made(end - begin);
  Progress progress("  samples, item");
  for_each_item(
      begin, end, c.schedule, [&](int64_t i) { made[i - begin] = sample_item(c, sampler, i); },
      [&](int64_t done, int64_t total) { progress.update(done, total); });
  for (int64_t i = begin; i < end; ++i) {
    Sampled& m = made[i - begin];
    const bool pictures = c.reference.makes_pictures();
    samples.psnr.push_back(pictures ? psnr(c.reference.image(i), m.image) : std::nan(""));
    samples.ssim.push_back(pictures ? ssim_tm(c.reference.image(i), m.image) : std::nan(""));
    samples.images.push_back(std::move(m.image));
    samples.digests.push_back(std::move(m.digest));
    samples.latents.push_back(std::move(m.latents));
  }
}

/// The items the context asks for; where it leaves that open, the protocol's number and more of them while
/// the interval of the mean PSNR is too wide.
Samples sample_cell(const CellContext& c, const Sampler& sampler) {
  const Protocol& p = c.study.protocol;
  Samples samples;
  make_directories(c.samples);
  add_items(c, sampler, 0, c.items > 0 ? c.items : p.items, samples);
  while (c.items == 0 && p.until_half_width_db > 0 &&
         static_cast<int64_t>(samples.psnr.size()) < p.max_items) {
    const Interval interval = bootstrap_mean(samples.psnr, "psnr");
    const double half_width = (interval.hi - interval.lo) / 2;
    if (half_width <= p.until_half_width_db || !std::isfinite(half_width)) break;
    const int64_t n = static_cast<int64_t>(samples.psnr.size());
    add_items(c, sampler, n, std::min(n + kItemsAdded, p.max_items), samples);
  }
  if (c.reference.makes_pictures()) write_png(c.samples + "/grid.png", image_grid(samples.images));
  return samples;
}

void fill_samples(const Cell& cell, const CellContext& c, const Samples& samples,
                  std::vector<Table>& tables) {
  Table& t = named(tables, "/samples");
  for (size_t i = 0; i < samples.psnr.size(); ++i) {
    texts(t, "cell").push_back(cell.name);
    texts(t, "item").push_back(c.reference.item(static_cast<int64_t>(i)).name);
    numbers(t, "psnr_db").push_back(samples.psnr[i]);
    numbers(t, "ssim").push_back(samples.ssim[i]);
    texts(t, "png_sha256").push_back(samples.digests[i]);
  }
}

/// Returns the relative error of the final latents.
double fill_trajectory(const Cell& cell, const CellContext& c, const Samples& samples,
                       std::vector<Table>& tables) {
  Table& t = named(tables, "/trajectory");
  double last = std::nan("");
  for (size_t step = 0; step < c.reference.sigmas().size(); ++step) {
    PairSums sums;
    for (const std::vector<PairSums>& item : samples.latents) add(sums, item[step]);
    last = relative_error_of(sums);
    texts(t, "cell").push_back(cell.name);
    integers(t, "step").push_back(static_cast<int64_t>(step));
    numbers(t, "sigma").push_back(c.reference.sigmas()[step]);
    numbers(t, "latent_rel_error").push_back(last);
    numbers(t, "latent_sqnr_db").push_back(sqnr_db_of(sums));
  }
  return last;
}

struct Storage {
  double bits_per_weight = std::nan("");  ///< over the linears that are up for quantization
  double model_bits = 0;                  ///< the whole model, what is not compressed in 16 bit
};

/// Whether the plan puts the linear up for quantization: the same linears for every method, also for one that
/// keeps some of them in 16 bit.
bool up_for_quantization(const Cell& cell, const std::string& linear) {
  for (const CellRule& r : cell.rules)
    if (glob_match(r.rule.match, linear)) return r.subject || r.rule.scheme.weights.has_value();
  return false;
}

Storage storage_of(const Cell& cell, const Graph& graph, const CompressedModel& model) {
  double counted_bits = 0, counted = 0, saved = 0;
  for (const LinearSpec& spec : graph.linears) {
    const double weights = static_cast<double>(spec.weight.numel());
    const auto found = model.linears.find(spec.name);
    const double bits = found == model.linears.end() ? 16 * weights : found->second.bits();
    saved += 16 * weights - bits;
    if (!up_for_quantization(cell, spec.name)) continue;
    counted_bits += bits;
    counted += weights;
  }
  Storage out;
  if (counted > 0) out.bits_per_weight = counted_bits / counted;
  out.model_bits = 16 * static_cast<double>(graph.parameter_count()) - saved;
  return out;
}

int64_t rank_of(const Cell& cell) {
  int64_t rank = 0;
  for (const CellRule& r : cell.rules)
    if (r.subject) rank = std::max(rank, r.rule.recipe.rank);
  return rank;
}

/// Appends the cell's row to /cells; numbers that are not in `values` are NaN.
void fill_cell_row(const Cell& cell, const std::string& status, const std::string& message, int64_t n,
                   const std::map<std::string, double>& values, Table& t) {
  texts(t, "cell").push_back(cell.name);
  texts(t, "scheme").push_back(cell.scheme);
  texts(t, "method").push_back(cell.method);
  texts(t, "status").push_back(status);
  texts(t, "message").push_back(message);
  texts(t, "outliers").push_back(cell.outliers.tag());
  integers(t, "rank").push_back(rank_of(cell));
  integers(t, "n").push_back(n);
  for (Column& c : t.columns)
    if (auto* column = std::get_if<std::vector<double>>(&c.values)) {
      const auto found = values.find(c.name);
      column->push_back(found == values.end() ? std::nan("") : found->second);
    }
}

void check_sense(const Cell& cell) {
  for (const CellRule& r : cell.rules)
    SVDLAB_REQUIRE(!r.subject || r.rule.scheme.weights || r.rule.recipe.keeps_16_bit(), Errc::kConfig,
                   "scheme ", r.rule.scheme.name, " keeps 16 bit: nothing for method ", cell.method,
                   " to do");
}

}  // namespace

std::vector<Table> run_cell(const Cell& cell, const CellContext& c) {
  check_sense(cell);
  require_backend(cell.backend);
  const Graph& graph = c.reference.model().graph;
  std::vector<Table> tables = result_tables();
  std::map<std::string, double> values;
  Progress quantize("  quantize, group");
  const Compression compression =
      compress_model(graph, c.stats, plan_for(graph, cell),
                     {.threads = c.schedule.threads,
                      .progress = [&](int done, int total) { quantize.update(done, total); }});
  values["seconds_quantize"] = quantize.seconds();
  c.reference.ensure(c.study.protocol.items, c.schedule);
  const Progress layers("");
  const auto errors = layer_errors(c.reference, compression.model,
                                   std::min(kReplayedItems, c.study.protocol.items), c.schedule);
  values["output_sqnr_db"] = fill_layer_tables(cell.name, graph, compression, errors, tables);
  if (c.spectra) fill_spectra(cell.name, graph, compression.model, named(tables, "/spectra"));
  values["seconds_layers"] = layers.seconds();
  const Backend backend = make_backend(cell.backend, graph, compression.model, c.schedule.threads);
  if (c.study.backends != std::vector<std::string>{kReferenceBackend})
    fill_backend_tables(cell.name, cell.backend, backend, c.reference, compression.model, c.schedule, tables);
  const Progress sampling("");
  const Samples samples = sample_cell(c, c.reference.sampler_for(*backend.runner));
  values["seconds_sample"] = sampling.seconds();
  fill_samples(cell, c, samples, tables);
  values["trajectory_rel_error"] = fill_trajectory(cell, c, samples, tables);
  const Storage storage = storage_of(cell, graph, compression.model);
  values["bits_per_weight"] = storage.bits_per_weight;
  values["model_bits"] = storage.model_bits;
  const Interval psnr_interval = bootstrap_mean(samples.psnr, "psnr"),
                 ssim = bootstrap_mean(samples.ssim, "ssim");
  values["psnr_db"] = psnr_interval.value, values["psnr_lo_db"] = psnr_interval.lo;
  values["psnr_hi_db"] = psnr_interval.hi;
  values["ssim"] = ssim.value, values["ssim_lo"] = ssim.lo, values["ssim_hi"] = ssim.hi;
  if (c.reference.makes_pictures()) {
    std::vector<Image> references;
    for (size_t i = 0; i < samples.images.size(); ++i)
      references.push_back(c.reference.image(static_cast<int64_t>(i)));
    values["psnr_pooled_db"] = psnr_pooled(references, samples.images);
  }
  fill_cell_row(cell, "ok", "", psnr_interval.n, values, named(tables, "/cells"));
  return tables;
}

std::vector<Table> cell_without_results(const Cell& cell, const std::string& status,
                                        const std::string& message) {
  std::vector<Table> tables = result_tables();
  fill_cell_row(cell, status, message, 0, {}, named(tables, "/cells"));
  return tables;
}

std::vector<Table> reference_tables(const OutlierDial& dial, const Reference& reference,
                                    const StatsMap& stats, int64_t items) {
  std::vector<Table> tables = result_tables();
  const Cell cell{.name = reference_name(dial), .scheme = "bf16", .method = "16-bit", .outliers = dial};
  fill_cell_row(cell, "reference", "", items,
                {{"bits_per_weight", 16.0},
                 {"model_bits", 16.0 * static_cast<double>(reference.model().graph.parameter_count())}},
                named(tables, "/cells"));
  fill_outliers(cell.name, reference.model().graph, stats, named(tables, "/outliers"));
  Table& samples = named(tables, "/samples");
  for (int64_t i = 0; i < items && reference.makes_pictures(); ++i) {
    texts(samples, "cell").push_back(cell.name);
    texts(samples, "item").push_back(reference.item(i).name);
    numbers(samples, "psnr_db").push_back(std::nan(""));
    numbers(samples, "ssim").push_back(std::nan(""));
    texts(samples, "png_sha256").push_back(sha256(encode_png(reference.image(i))));
  }
  return tables;
}

}  // namespace svdlab
