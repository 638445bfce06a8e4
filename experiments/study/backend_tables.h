#pragma once
#include <string>
#include <vector>

#include "core/io/hdf5.h"
#include "experiments/study/backend.h"
#include "experiments/study/reference.h"

namespace svdlab {

/// Fills the cell's rows of /paths (which path serves each node, and how far fused nodes are from the
/// reference on the reference's own inputs: the first item's 16-bit trajectory, every step) and of /backends.
/// The reference has a row of /backends alone.
void fill_backend_tables(const std::string& cell, const std::string& name, const Backend& backend,
                         const Reference& reference, const CompressedModel& compressed,
                         const Schedule& schedule, std::vector<Table>& tables);

}  // namespace svdlab
