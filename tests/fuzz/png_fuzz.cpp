// libFuzzer entry.
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/png_target.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* bytes, size_t size, size_t limit);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* bytes, size_t size, size_t limit, unsigned seed) {
  size = LLVMFuzzerMutate(bytes, size, limit);
  if (seed % 8 != 0) svdlab::fuzz::repair_png(bytes, size);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const svdlab::fuzz::MemoryFile file(bytes, size);
  svdlab::fuzz::png_target(file.path());
  return 0;
}
