#include "kernels/cuda_device.h"

#include "tests/kernels/cuda/on_gpu.h"
#include "tests/support/errors.h"

namespace svdlab {
namespace {

using testing::throws_error;

class CudaDevice : public testing::OnGpu {};

TEST_F(CudaDevice, SaysWhatItIs) {
  EXPECT_GE(cuda_architecture(), 80);
  EXPECT_NE(cuda_device_name().find("sm_"), std::string::npos) << cuda_device_name();
}

TEST_F(CudaDevice, BuffersKeepWhatIsPutIn) {
  std::vector<uint8_t> in(100001), out(in.size());
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint8_t>(testing::mixed(0, i));
  CudaBuffer buffer(static_cast<int64_t>(in.size()));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 256, 0u);
  buffer.copy_from(in.data(), buffer.bytes());
  buffer.copy_to(out.data(), buffer.bytes());
  EXPECT_EQ(out, in);
  buffer.fill(0x5a);
  buffer.copy_to(out.data(), 1000);
  EXPECT_EQ(out[0], 0x5a);
  EXPECT_EQ(out[999], 0x5a);
  EXPECT_EQ(out[1000], in[1000]);
  CudaBuffer moved(std::move(buffer));
  moved.copy_to(out.data(), moved.bytes());
  EXPECT_EQ(out.back(), 0x5a);
}

TEST_F(CudaDevice, OutOfMemorySaysWhatWasAskedForAndTheNextCallWorks) {
  const int64_t too_much = int64_t{1} << 45;
  EXPECT_TRUE(throws_error([&] { CudaBuffer buffer(too_much); }, Errc::kResource, {"35184372088832"}));
  EXPECT_NO_THROW(CudaBuffer(1024).fill(0));
  EXPECT_NO_THROW(cuda_synchronize({.device = Device::kCuda}));
}

}  // namespace
}  // namespace svdlab
