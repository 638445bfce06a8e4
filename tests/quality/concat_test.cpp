// Q-Diffusion's split on a trained model: FLUX's proj_out reads attention | GELU.
#include "core/runtime/compressed_linear.h"
#include "tests/quality/embedded_groups.h"

namespace svdlab {
namespace {

/// Relative output error of the job's only linear on the tokens that calibration kept.
double output_error(const testing::EmbeddedGroups& embedded, const Scheme& scheme,
                    const std::string& recipe) {
  Plan plan = embedded.plan("int4", recipe);
  plan[1].scheme = scheme;
  for (const CompressionJob& job : embedded.jobs(plan)) {
    const std::string& name = job.shares.front().group->name;
    if (name != "single_transformer_blocks.3.proj_out") continue;
    const LinearSpec& spec = embedded.model.graph.linears[embedded.model.graph.linear_index(name)];
    const Tensor& x = embedded.stats.at(name).reservoir;
    CompressedLinear linear = run_job(embedded.model.graph, embedded.stats, job, {}).linears[0];
    linear.bias = Tensor();
    const Tensor y = run_compressed(linear, x, Execution::kDequantized);
    return testing::relative_difference(y, x.matmul(spec.weight.to(at::kFloat).t()));
  }
  return std::nan("");
}

TEST(ConcatOfTheEmbeddedModel, SplitIsBetterThanJointScalesAToken) {
  const testing::EmbeddedGroups embedded(8);
  for (const NumberFormat format : {NumberFormat::kInt4, NumberFormat::kInt8}) {
    Scheme scheme = scheme_named("w8a8");
    scheme.activations->tensor.format = format;
    for (const char* recipe :
         {"{segments: $}", "{transform: {smooth: {alpha: 0.5, beta: 0.5}}, segments: $}"}) {
      const auto with = [&](const std::string& segments) {
        std::string text = recipe;
        return output_error(embedded, scheme, text.replace(text.find('$'), 1, segments));
      };
      const double split = with("split"), joint = with("joint");
      std::printf("%s activations, a scale a token: split %.4f, joint %.4f\n", to_string(format).c_str(),
                  split, joint);
      EXPECT_TRUE(split < joint) << recipe;
    }
  }
}

}  // namespace
}  // namespace svdlab
