#pragma once

namespace svdlab::bench {

/// The driver's own reading of GPU 0 at this moment; 0 where its library is not found.
struct Sensors {
  double sm_mhz = 0, watts = 0;
};
Sensors read_sensors();

}  // namespace svdlab::bench
