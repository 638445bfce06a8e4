// libFuzzer entry.
#include "tests/fuzz/hdf5_target.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const svdlab::fuzz::MemoryFile file(bytes, size);
  svdlab::fuzz::hdf5_target(file.path());
  return 0;
}
