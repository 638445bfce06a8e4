// libFuzzer entry.
#include "tests/fuzz/safetensors_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  svdlab::fuzz::safetensors_target(bytes, size);
  return 0;
}
