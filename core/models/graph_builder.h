#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/ir/graph.h"
#include "core/models/tensor_source.h"

namespace svdlab {

/// Appends nodes to a graph and takes their weights from a source; what every architecture file builds with.
class GraphBuilder {
 public:
  GraphBuilder(std::string architecture, TensorSource source);

  int input(const std::string& name);
  int node(const std::string& id, Op op, std::vector<int> inputs,
           std::map<std::string, double> attributes = {});

  struct LinearFacts {
    Role role = Role::kEmbed;
    std::string block = {};
    bool t_only = false;
    std::vector<Segment> segments = {};  ///< empty: one segment with `producer`
    Producer producer = Producer::kInput;
    bool bias = true;
  };
  /// Takes `name`.weight [out, in] and `name`.bias [out].
  int linear(const std::string& name, int x, int64_t in, int64_t out, LinearFacts facts);
  int rms_norm(const std::string& name, int x, int64_t dim, double eps);

  /// Declares that the linears (by name) share one input; `branches` partitions them by name.
  void group(const std::vector<std::vector<std::string>>& branches, const std::string& smooth_tied_to = "");

  /// Puts every linear without a group into one of its own, validates and returns the graph.
  Graph finish(int output);

 private:
  Graph graph_;
  TensorSource source_;
  std::map<std::string, int> linear_by_name_;
};

}  // namespace svdlab
