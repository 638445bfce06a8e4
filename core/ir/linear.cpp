#include "core/ir/linear.h"

namespace svdlab {

std::string to_string(Role role) {
  switch (role) {
    case Role::kQuery:
      return "q";
    case Role::kKey:
      return "k";
    case Role::kValue:
      return "v";
    case Role::kAttentionOut:
      return "out";
    case Role::kFfUp:
      return "ff_up";
    case Role::kFfDown:
      return "ff_down";
    case Role::kFusedOut:
      return "fused_out";
    case Role::kAdaLn:
      return "adaln";
    case Role::kTimeEmbed:
      return "time_embed";
    case Role::kEmbed:
      return "embed";
    case Role::kFinal:
      return "final";
  }
  return "?";
}

std::string to_string(Producer producer) {
  switch (producer) {
    case Producer::kInput:
      return "input";
    case Producer::kSilu:
      return "silu";
    case Producer::kModulate:
      return "modulate";
    case Producer::kAttention:
      return "attention";
    case Producer::kGelu:
      return "gelu";
    case Producer::kConcat:
      return "concat";
  }
  return "?";
}

}  // namespace svdlab
