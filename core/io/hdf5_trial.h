#pragma once
#include <functional>
#include <string>

namespace svdlab::hdf5 {

/// Runs `read` in a child process and returns when it came through; what it throws there is forgotten.
/// kInput naming `file` when it crashed, or took more processor time than `bytes` bytes can need.
///
/// HDF5 1.10 does not promise safety on a damaged or hostile file: of files with one to three bytes changed,
/// one in a hundred crashes it or keeps it busy for ever. What the library would do to this process it does
/// to the child.
void try_in_child(const std::string& file, size_t bytes, const std::function<void()>& read);

}  // namespace svdlab::hdf5
