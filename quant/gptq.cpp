#include "core/base/error.h"
#include "core/ir/quantize.h"
#include "kernels/gptq_block.h"
#include "quant/column_quantizer.h"
#include "quant/input_gram.h"
#include "quant/inverse_factor.h"
#include "quant/nested_stage.h"
#include "quant/row_blocks.h"

namespace svdlab {
namespace {

constexpr int64_t kRowsAtOnce = 512;  // a block of 128 columns is then half a megabyte: stays in the cache

struct Options {
  double damping = 0.01;  // of the mean diagonal
  int64_t block = 128;    // columns whose errors are carried on together
  bool act_order = true;  // columns of large input energy first
};

// Frantar et al., "GPTQ" (arXiv 2210.17323): after a column is rounded, the columns still to come move so as
// to cancel its output error. Scales, zero points and codebook are those another quantizer gives the input
// weight, and stay; DeepCompressor takes those of round to nearest. Rows do not see each other and are taken
// in blocks.
class Gptq final : public WeightQuantizer {
 public:
  Gptq(Options options, std::unique_ptr<WeightQuantizer> grid) : options_(options), grid_(std::move(grid)) {}

  QuantizedTensor quantize(const Tensor& w, const TensorScheme& scheme,
                           const WeightContext& given) const override {
    WeightContext context = given;
    check(context, w.size(1));
    QuantizedTensor q = grid_->quantize(w, scheme, context);
    if (!context.inverse_factor.defined()) prepare(context);
    if (w.device().is_cuda()) {
      quantize_on_gpu(w, context, q);
      return q;
    }
    for_each_block(w.size(0), kRowsAtOnce, context.threads, [&](int64_t begin, int64_t end) {
      QuantizedTensor rows = q;
      rows.codes = q.codes.slice(0, begin, end);
      if (q.scales.size(0) > 1) rows.scales = q.scales.slice(0, begin, end);
      if (q.zeros.defined() && q.zeros.size(0) > 1) rows.zeros = q.zeros.slice(0, begin, end);
      quantize_rows(w.slice(0, begin, end), context, rows);
    });
    return q;
  }
  bool needs_gram() const override { return true; }
  const WeightQuantizer* stand_in() const override { return grid_->stand_in(); }

  void prepare(WeightContext& context) const override {
    check(context, context.gram.defined() ? context.gram.size(0) : 0);
    const Tensor diagonal = input_gram_diagonal(context);
    context.order = options_.act_order
                        ? at::argsort(diagonal, /*stable=*/true, 0, true)
                        : at::arange(context.gram.size(0), diagonal.options().dtype(at::kLong));
    context.inverse_factor = inverse_factor(context, context.order, options_.damping);
  }

 private:
  static void check(const WeightContext& context, int64_t channels) {
    SVDLAB_REQUIRE(context.gram.defined() && context.gram.size(0) == channels, Errc::kUnexpected,
                   "gptq: needs the Gram matrix of ", channels, " channels");
  }

  // All rows at once; a block of columns is one kernel, which fixes how many there may be.
  static void quantize_on_gpu(const Tensor& w, const WeightContext& context, QuantizedTensor& q) {
    const int64_t channels = w.size(1);
    const Tensor& upper = context.inverse_factor;
    Tensor rest = w.t().index_select(0, context.order).to(at::kDouble);
    const Tensor errors = at::empty({GptqBlock::kMostColumns, w.size(0)}, rest.options());
    for (int64_t begin = 0; begin < channels; begin += GptqBlock::kMostColumns) {
      const int64_t end = std::min(begin + GptqBlock::kMostColumns, channels);
      const Tensor of_block = errors.slice(0, 0, end - begin);
      gptq_block({.begin = begin,
                  .end = end,
                  .order = context.order.data_ptr<int64_t>(),
                  .upper = device_view<double>(upper, "inverse factor"),
                  .rest = device_view<double>(rest, "weights left"),
                  .errors = device_view<double>(of_block, "errors"),
                  .codes = device_view<uint8_t>(q.codes, "codes"),
                  .format = q.scheme.format,
                  .scales = device_view<float>(q.scales, "scales"),
                  .group = channels / q.scheme.groups_of(channels),
                  .tensor_scale = q.tensor_scale},
                 kernel_stream(w.device()));
      if (end < channels)
        rest.slice(0, end).addmm_(upper.slice(0, begin, end).slice(1, end).t(), of_block, 1, -1);
    }
  }

  void quantize_rows(const Tensor& w, const WeightContext& context, QuantizedTensor& q) const {
    const int64_t channels = w.size(1);
    const Tensor& upper = context.inverse_factor;
    Tensor rest = w.t().index_select(0, context.order).to(at::kDouble);  // [K, N], rows in processing order
    ColumnQuantizer columns(q);
    for (int64_t begin = 0; begin < channels; begin += options_.block) {
      const int64_t end = std::min(begin + options_.block, channels);
      const Tensor errors = quantize_block(columns, context.order, upper, rest, begin, end);
      rest.slice(0, end).addmm_(upper.slice(0, begin, end).slice(1, end).t(), errors, 1, -1);
    }
  }

  // Returns the scaled errors [end - begin, N] that the later blocks must absorb.
  static Tensor quantize_block(ColumnQuantizer& columns, const Tensor& order, const Tensor& upper,
                               Tensor& rest, int64_t begin, int64_t end) {
    Tensor errors = at::empty({end - begin, rest.size(1)}, rest.options());
    const int64_t* column = order.data_ptr<int64_t>();
    const double* factor = upper.data_ptr<double>();
    for (int64_t j = begin; j < end; ++j) {
      const Tensor rounded = columns.quantize(column[j], rest[j].to(at::kFloat));
      Tensor error = errors[j - begin];
      error.copy_(rest[j]).sub_(rounded).div_(factor[j * upper.size(0) + j]);
      rest.slice(0, j + 1, end).addr_(upper[j].slice(0, j + 1, end), error, 1, -1);
    }
    return errors;
  }

  Options options_;
  std::unique_ptr<WeightQuantizer> grid_;
};

// `scales: search` is `grid: scale-search` with the options of that beside those of GPTQ.
std::unique_ptr<WeightQuantizer> read_grid(Fields& options) {
  const std::string scales = options.text("scales", "rtn");
  SVDLAB_REQUIRE(scales == "rtn" || scales == "search", Errc::kConfig, options.where(), ": `",
                 options.path_of("scales"), "` must be rtn or search, not ", scales,
                 "; other quantizers go under `", options.path_of("grid"), "`");
  if (scales == "search") return weight_quantizers().at("scale-search")(options);
  auto grid = read_nested_stage(weight_quantizers(), options, "grid", "rtn");
  SVDLAB_REQUIRE(!dynamic_cast<const Gptq*>(grid.get()), Errc::kConfig, options.where(), ": `",
                 options.path_of("grid"),
                 "` must round each weight by itself, not carry errors on; name what gptq itself would use");
  return grid;
}

}  // namespace

std::unique_ptr<WeightQuantizer> make_gptq(Fields& options) {
  Options o;
  o.damping = options.number("damping", o.damping);
  o.block = options.integer("block", o.block);
  o.act_order = options.boolean("act_order", o.act_order);
  SVDLAB_REQUIRE(o.damping >= 0 && o.block > 0, Errc::kConfig, options.where(),
                 ": gptq needs damping >= 0 and block > 0, not ", o.damping, " and ", o.block);
  return std::make_unique<Gptq>(o, read_grid(options));
}

}  // namespace svdlab
