#pragma once
#include "core/io/safetensors.h"
#include "tests/support/support.h"

namespace svdlab::testing {

/// Random factors of one module in a safetensors file, with kohya's or PEFT's names.
inline void add_kohya(std::vector<StWrite>& out, const std::string& module, int64_t rows, int64_t columns,
                      int64_t rank, double alpha = 0) {
  out.push_back(
      {module + ".lora_down.weight", random_tensor({rank, columns}, module + "/A").mul(0.1).to(at::kHalf)});
  out.push_back(
      {module + ".lora_up.weight", random_tensor({rows, rank}, module + "/B").mul(0.1).to(at::kHalf)});
  if (alpha != 0) out.push_back({module + ".alpha", at::full({}, alpha)});
}
inline void add_peft(std::vector<StWrite>& out, const std::string& module, int64_t rows, int64_t columns,
                     int64_t rank) {
  out.push_back(
      {module + ".lora_A.weight", random_tensor({rank, columns}, module + "/A").mul(0.1).to(at::kBFloat16)});
  out.push_back(
      {module + ".lora_B.weight", random_tensor({rows, rank}, module + "/B").mul(0.1).to(at::kBFloat16)});
}

}  // namespace svdlab::testing
