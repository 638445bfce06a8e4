#include "experiments/cli/inspect_compressed.h"

#include <cmath>
#include <iostream>

#include "core/io/compressed_file.h"
#include "experiments/report/table_views.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

const StoredLinear::Branch* branch_of(const StoredLinear& linear, bool low_bit) {
  for (const StoredLinear::Branch& branch : linear.branches)
    if (branch.low_bit == low_bit) return &branch;
  return nullptr;
}

std::string format_of(const StoredLinear& linear) {
  const StoredLinear::Branch* branch = branch_of(linear, true);
  if (branch == nullptr) return "";
  const auto name = [](const TensorScheme& s) {
    return to_string(s.format) + (s.grouping == Grouping::kGroup ? concat(" g", s.group) : "");
  };
  return concat(name(branch->weights), " | ",
                branch->activations ? name(branch->activations->tensor) : "16 bit");
}

}  // namespace

void inspect_compressed(const std::string& folder) {
  const CompressedFolder files(folder);
  const CompressedHeader& header = files.header();
  Table t{
      "linears",
      {text_column("linear"), text_column("group"), text_column("scheme"), text_column("weights | inputs"),
       text_column("stages"), integer_column("out"), integer_column("in"), integer_column("rank"),
       text_column("smooth"), number_column("bits/weight")}};
  double bits = 0, weights = 0;
  for (const std::string& name : files.names()) {
    const StoredLinear& linear = files.linear(name);
    const double size = static_cast<double>(linear.out_features) * static_cast<double>(linear.in_features);
    const StoredLinear::Branch* low_rank = branch_of(linear, false);
    texts(t, "linear").push_back(name);
    texts(t, "group").push_back(linear.group);
    texts(t, "scheme").push_back(linear.scheme);
    texts(t, "weights | inputs").push_back(format_of(linear));
    texts(t, "stages").push_back(linear.method);
    integers(t, "out").push_back(linear.out_features);
    integers(t, "in").push_back(linear.in_features);
    integers(t, "rank").push_back(low_rank ? low_rank->rank : 0);
    texts(t, "smooth").push_back(linear.smooth.empty() ? "" : "yes");
    numbers(t, "bits/weight").push_back(linear.bits() / size);
    bits += linear.bits();
    weights += size;
  }
  std::cout << report::to_terminal(t) << files.names().size() << " linears in " << files.units() << " files, "
            << std::round(1000 * bits / weights) / 1000 << " bits/weight\n"
            << header.model_class << ", model SHA-256 " << header.model_hash << "\nstatistics "
            << (header.statistics_hash.empty() ? "none" : header.statistics_hash) << "\nfingerprint "
            << header.fingerprint << "\n";
  for (const StoredAdapter& adapter : files.adapters())
    std::cout << "adapter " << adapter.name << " on " << adapter.items.size() << " linears, strength "
              << adapter.strength << ", SHA-256 " << adapter.sha256 << "\n";
}

}  // namespace svdlab
