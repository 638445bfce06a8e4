#include <cstdlib>

#include "core/base/error.h"
#include "experiments/quantize/ranks.h"

namespace svdlab {

Ranks::Ranks() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})
    if (const char* size = std::getenv(name))
      SVDLAB_REQUIRE(std::atoi(size) <= 1, Errc::kConfig, "started as one of ", size,
                     " processes, but this build has no MPI: start it once with --threads, or install "
                     "libopenmpi-dev and build again");
}

Ranks::~Ranks() = default;

std::string Ranks::broadcast(const std::string& text) const { return text; }
int Ranks::failures(bool failed) const { return failed ? 1 : 0; }
double Ranks::largest(double value) const { return value; }
bool Ranks::built_in() { return false; }

}  // namespace svdlab
