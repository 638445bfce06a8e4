#include "experiments/study/schema.h"

#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

Table cells_table() {
  return {"/cells",
          {text_column("cell"),
           text_column("scheme"),
           text_column("method"),
           text_column("status"),
           text_column("message"),
           text_column("outliers"),
           integer_column("rank"),
           number_column("bits_per_weight", "bit"),
           number_column("model_bits", "bit"),
           number_column("output_sqnr_db", "dB"),
           number_column("psnr_db", "dB"),
           number_column("psnr_lo_db", "dB"),
           number_column("psnr_hi_db", "dB"),
           integer_column("n"),
           number_column("psnr_pooled_db", "dB"),
           number_column("ssim"),
           number_column("ssim_lo"),
           number_column("ssim_hi"),
           number_column("trajectory_rel_error"),
           number_column("seconds_quantize", "s"),
           number_column("seconds_layers", "s"),
           number_column("seconds_sample", "s")}};
}

Table layers_table() {
  return {"/layers",
          {text_column("cell"),
           text_column("layer"),
           text_column("block"),
           text_column("role"),
           text_column("group"),
           text_column("scheme"),
           text_column("method"),
           integer_column("out_features"),
           integer_column("in_features"),
           integer_column("rank"),
           number_column("bits_per_weight", "bit"),
           number_column("weight_sqnr_db", "dB"),
           number_column("output_sqnr_db", "dB"),
           number_column("output_rel_error"),
           number_column("output_cosine"),
           number_column("residual_energy"),
           number_column("optimal_energy"),
           number_column("total_energy"),
           integer_column("rounds"),
           integer_column("best_round"),
           number_column("seconds", "s")}};
}

Table sensitivity_table() {
  return {"/sensitivity",
          {text_column("cell"), text_column("mode"), text_column("unit"), integer_column("linears"),
           integer_column("weights"), number_column("output_rel_error"), number_column("latent_rel_error"),
           number_column("latent_lo"), number_column("latent_hi"), number_column("psnr_db", "dB"),
           number_column("psnr_lo_db", "dB"), number_column("psnr_hi_db", "dB"),
           number_column("psnr_gain_db", "dB"), number_column("psnr_gain_lo_db", "dB"),
           number_column("psnr_gain_hi_db", "dB"), integer_column("n")}};
}

}  // namespace

std::vector<Table> result_tables() {
  return {
      cells_table(),
      layers_table(),
      {"/layer_steps",
       {text_column("cell"), text_column("layer"), integer_column("step"),
        number_column("output_sqnr_db", "dB")}},
      {"/trajectory",
       {text_column("cell"), integer_column("step"), number_column("sigma"),
        number_column("latent_rel_error"), number_column("latent_sqnr_db", "dB")}},
      {"/samples",
       {text_column("cell"), text_column("item"), number_column("psnr_db", "dB"), number_column("ssim"),
        text_column("png_sha256")}},
      {"/outliers",
       {text_column("cell"), text_column("group"), integer_column("channels"),
        number_column("max_over_median_absmax")}},
      {"/spectra",
       {text_column("cell"), text_column("layer"), integer_column("index"), number_column("before"),
        number_column("after")}},
      {"/rounds",
       {text_column("cell"), text_column("layer"), integer_column("round"), number_column("error")}},
      {"/search",
       {text_column("cell"), text_column("group"), number_column("alpha"), number_column("beta"),
        number_column("error"), integer_column("chosen")}},
      {"/paths",
       {text_column("cell"), text_column("node"), text_column("op"), text_column("path"),
        text_column("served_by"), text_column("reason"), number_column("implementation_sqnr_db", "dB"),
        number_column("gate_db", "dB")}},
      {"/backends",
       {text_column("cell"), text_column("backend"), text_column("device"), integer_column("fused_linears"),
        integer_column("reference_linears"), text_column("worst_node"), number_column("worst_sqnr_db", "dB"),
        number_column("worst_gate_db", "dB"), number_column("seconds_per_step", "s")}}};
}

std::vector<Table> analysis_tables() {
  return {
      {"/layer_facts",
       {text_column("cell"), text_column("layer"), text_column("block"), text_column("role"),
        text_column("group"), integer_column("out_features"), integer_column("in_features"),
        number_column("weight_absmax"), number_column("weight_rms"), number_column("weight_kurtosis"),
        number_column("weight_max_over_median"), number_column("input_absmax"), number_column("input_rms"),
        number_column("input_kurtosis"), number_column("input_max_over_median")}},
      {"/layer_errors",
       {text_column("cell"), text_column("layer"), text_column("scheme"), text_column("method"),
        number_column("bits_per_weight", "bit"), number_column("weight_sqnr_db", "dB"),
        number_column("output_sqnr_db", "dB"), number_column("weight_zero_share"),
        number_column("input_zero_share")}},
      sensitivity_table(),
      {"/sensitivity_items",
       {text_column("cell"), text_column("mode"), text_column("unit"), text_column("item"),
        number_column("output_rel_error"), number_column("latent_rel_error"),
        number_column("psnr_db", "dB")}},
      {"/spectrum_energy",
       {text_column("cell"), text_column("group"), text_column("branch"), text_column("role"),
        integer_column("rank"), number_column("weight"), number_column("smoothed"), number_column("error")}},
      {"/outlier_rank",
       {text_column("cell"), text_column("group"), text_column("branch"), text_column("role"),
        integer_column("rank"), number_column("input_ratio"), number_column("smoothed_input_ratio"),
        number_column("weight_ratio"), number_column("smoothed_weight_ratio"), number_column("weight_absmax"),
        number_column("smoothed_weight_absmax")}},
      {"/timestep_ranges",
       {text_column("cell"), text_column("group"), integer_column("step"), number_column("sigma"),
        number_column("absmax"), number_column("rms"), number_column("max_over_median")}},
      {"/hidden_states",
       {text_column("cell"), text_column("state"), integer_column("step"), number_column("sigma"),
        number_column("nuclear_norm_16_bit"), number_column("nuclear_norm")}}};
}

}  // namespace svdlab
