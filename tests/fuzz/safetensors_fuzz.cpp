// libFuzzer entry; test_core replays the corpus with gcc.
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -I. tests/fuzz/safetensors_fuzz.cpp
//     core/io/safetensors_parse.cpp core/io/safetensors_dtype.cpp -o fuzz
//   ./fuzz <folder for new finds> tests/fuzz/corpus/safetensors
#include "tests/fuzz/safetensors_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  svdlab::fuzz::safetensors_target(bytes, size);
  return 0;
}
