// libFuzzer entry: a text is read as YAML, and its first line as an override.
#include "tests/fuzz/yaml_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string text(bytes, bytes + size);
  svdlab::fuzz::yaml_target(text);
  svdlab::fuzz::override_target(text.substr(0, text.find('\n')));
  return 0;
}
