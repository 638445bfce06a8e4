// A whole compressed linear on a GPU, quantize_fuse_down and then gemm_quantized with nothing in between,
// against the same two calls on the CPU.
#include "tests/kernels/cuda/on_gpu.h"

namespace svdlab {
namespace {

using testing::InputProblem;
using testing::LinearCall;
using testing::LinearProblem;
using testing::Memory;
using testing::Pair;

struct Case {
  InputProblem input;
  LinearProblem linear;
};

std::vector<uint16_t> chained(const Case& c, Device device) {
  Memory memory(device);
  const QuantizeFuseDown quantize = c.input.call(memory);
  LinearCall gemm(c.linear, memory);
  gemm.op.a = quantize.target.codes;
  gemm.op.low_rank = quantize.target.low_rank;
  const Stream stream = memory.stream(
      std::max(quantize_fuse_down_workspace(quantize, device), gemm_quantized_workspace(gemm.op, device)));
  quantize_fuse_down(quantize, stream);
  gemm_quantized(gemm.op, stream);
  memory.wait(stream);
  return memory.get<uint16_t>(gemm.op.out.bits.data, c.linear.shape.m * c.linear.shape.n);
}

class LinearGpu : public testing::OnGpu {};

TEST_F(LinearGpu, SmallChainsEqualTheCpu) {
  struct Form {
    NumberFormat format;
    Pair pair;
    MainLoop loop;
  };
  for (const Form form : {Form{NumberFormat::kInt4, Pair::kW4A4, MainLoop::kExact},
                          Form{NumberFormat::kUint4, Pair::kW4A4, MainLoop::kExact},
                          Form{NumberFormat::kInt8, Pair::kW4A8, MainLoop::kInt8},
                          Form{NumberFormat::kInt8, Pair::kW8A8, MainLoop::kInt8},
                          Form{NumberFormat::kFp4E2M1, Pair::kNvfp4, MainLoop::kNvfp4}}) {
    if (form.loop == MainLoop::kExact && cuda_architecture() != 90) continue;
    const int64_t m = 129, n = 256, k = 1152, rank = 32;
    const Case c{InputProblem({.m = m,
                               .k = k,
                               .rank = rank,
                               .format = form.format,
                               .layout = layouts_of(form.loop, NumberFormat::kInt4).activations}),
                 LinearProblem({.m = m, .n = n, .k = k, .rank = rank, .pair = form.pair, .loop = form.loop})};
    SCOPED_TRACE(to_string(c.linear.shape));
    const auto actual = testing::decoded(HalfType::kBf16, chained(c, Device::kCuda));
    const auto expected = testing::decoded(HalfType::kBf16, chained(c, Device::kCpu));
    // Both sides have rounded to bf16.
    const double db = testing::sqnr_db(actual, std::vector<double>(expected.begin(), expected.end()));
    EXPECT_TRUE(db >= 51.0) << db << " dB";
  }
}

}  // namespace
}  // namespace svdlab
