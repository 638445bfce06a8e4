// The C interface alone: the old C++ one needs a library of its own.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <cstdlib>

#include "core/base/error.h"
#include "experiments/quantize/ranks.h"

namespace svdlab {
namespace {

// Without mpirun MPI would start helpers of its own for one process.
bool under_mpirun() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"})
    if (std::getenv(name) != nullptr) return true;
  return false;
}

void check(int code, const char* what) {
  SVDLAB_REQUIRE(code == MPI_SUCCESS, Errc::kUnexpected, "MPI: ", what, " failed with code ", code);
}

}  // namespace

Ranks::Ranks() {
  if (!under_mpirun()) return;
  int provided = 0;
  check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
  check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
  check(MPI_Comm_size(MPI_COMM_WORLD, &size_), "MPI_Comm_size");
  MPI_Comm host = MPI_COMM_NULL;
  check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &host),
        "MPI_Comm_split_type");
  check(MPI_Comm_size(host, &on_this_host_), "MPI_Comm_size");
  check(MPI_Comm_free(&host), "MPI_Comm_free");
}

Ranks::~Ranks() {
  if (under_mpirun()) MPI_Finalize();
}

std::string Ranks::broadcast(const std::string& text) const {
  if (size_ == 1) return text;
  int64_t bytes = static_cast<int64_t>(text.size());
  check(MPI_Bcast(&bytes, 1, MPI_INT64_T, 0, MPI_COMM_WORLD), "MPI_Bcast");
  std::string out = text;
  out.resize(static_cast<size_t>(bytes));
  check(MPI_Bcast(out.data(), static_cast<int>(bytes), MPI_CHAR, 0, MPI_COMM_WORLD), "MPI_Bcast");
  return out;
}

int Ranks::failures(bool failed) const {
  int mine = failed ? 1 : 0, all = mine;
  if (size_ > 1) check(MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD), "MPI_Allreduce");
  return all;
}

double Ranks::largest(double value) const {
  double all = value;
  if (size_ > 1) check(MPI_Allreduce(&value, &all, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD), "MPI_Allreduce");
  return all;
}

bool Ranks::built_in() { return true; }

}  // namespace svdlab
