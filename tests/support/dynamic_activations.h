#pragma once
#include "quant/activation_quantizer.h"

namespace svdlab::testing {

/// The activation quantizer of recipes that name none.
inline const ActivationQuantizer& dynamic_activations() {
  static const std::unique_ptr<ActivationQuantizer> made = [] {
    const Value none = Value::map();
    Fields fields(none, "activations");
    return activation_quantizers().at("dynamic")(fields);
  }();
  return *made;
}

}  // namespace svdlab::testing
