#include "kernels/gptq_block.h"

#include "tests/kernels/cuda/on_gpu.h"
#include "tests/kernels/gptq_problem.h"

namespace svdlab {
namespace {

using testing::GptqProblem;
using testing::Memory;

struct Result {
  std::vector<uint8_t> codes;
  std::vector<double> errors;
};

Result run(const GptqProblem& problem, int64_t begin, int64_t end, Device device) {
  Memory memory(device);
  const GptqBlock block = problem.call(memory, begin, end);
  const Stream stream = memory.stream(0);
  gptq_block(block, stream);
  memory.wait(stream);
  return {memory.get(block.codes.data, problem.rows * problem.channels),
          memory.get(block.errors.data, (end - begin) * problem.rows)};
}

class GptqBlockGpu : public testing::OnGpu {};

TEST_F(GptqBlockGpu, SmallValuesAreByteIdentical) {
  for (const NumberFormat format : {NumberFormat::kInt4, NumberFormat::kFp4E2M1, NumberFormat::kUint4,
                                    NumberFormat::kInt8, NumberFormat::kNf4})
    for (const int64_t rows : {1, 70, 128})
      for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 128}, {64, 96}, {192, 256}}) {
        SCOPED_TRACE(
            concat("format ", static_cast<int>(format), ", ", rows, " rows, columns ", begin, " to ", end));
        const GptqProblem p{.rows = rows, .format = format, .one_row_of_scales = rows == 70 && begin == 0};
        const Result cpu = run(p, begin, end, Device::kCpu), gpu = run(p, begin, end, Device::kCuda);
        EXPECT_EQ(cpu.codes, gpu.codes);
        EXPECT_EQ(cpu.errors, gpu.errors);
      }
}

}  // namespace
}  // namespace svdlab
