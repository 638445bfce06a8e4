// libFuzzer entry: a file is read as .npz and as one array.
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/npz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const svdlab::fuzz::MemoryFile file(bytes, size);
  svdlab::fuzz::npz_target(file.path());
  svdlab::fuzz::npy_target(std::string(bytes, bytes + size));
  return 0;
}
