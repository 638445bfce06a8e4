#pragma once
#include <string>

namespace svdlab {

/// The processes that work on one command together: those that mpirun started, or this one alone. The only
/// face of MPI; without it in the build, ranks_single.cpp stands in for ranks_mpi.cpp. Calls come from the
/// main thread, by every rank in the same order.
class Ranks {
 public:
  /// Throws kConfig under mpirun when this build has no MPI.
  Ranks();
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  int on_this_host() const { return on_this_host_; }  ///< how many of them share this machine
  bool first() const { return rank_ == 0; }
  /// The text that rank 0 gives; the others' is ignored. Waits for all.
  std::string broadcast(const std::string& text) const;
  /// How many ranks say they failed. Waits for all.
  int failures(bool failed) const;
  double largest(double value) const;  ///< over all ranks. Waits for all.

  static bool built_in();  ///< false: this build has no MPI

 private:
  int rank_ = 0, size_ = 1, on_this_host_ = 1;
};

}  // namespace svdlab
