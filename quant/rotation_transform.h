#pragma once
#include <memory>

#include "quant/rotator.h"
#include "quant/transform.h"

namespace svdlab {

/// A rotation as a whole transform: x R.
std::unique_ptr<Transform> make_rotation(std::unique_ptr<Rotator> rotator);

/// The same as a catalogue entry.
template <std::unique_ptr<Rotator> (*Make)(Fields&)>
std::unique_ptr<Transform> make_rotation(Fields& options) {
  return make_rotation(Make(options));
}

}  // namespace svdlab
