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

}  // namespace

std::vector<Table> result_tables() {
  return {cells_table(),
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
           {text_column("cell"), text_column("layer"), integer_column("round"), number_column("error")}}};
}

}  // namespace svdlab
