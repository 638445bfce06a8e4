#include "experiments/train/flat_parameters.h"

namespace svdlab {

FlatParameters::FlatParameters(const std::vector<std::pair<std::string, Tensor>>& initial,
                               at::Device device) {
  std::vector<Tensor> parts;
  for (const auto& [name, tensor] : initial) parts.push_back(tensor.detach().to(at::kFloat).reshape({-1}));
  flat_ = at::cat(parts).to(device);
  int64_t offset = 0;
  for (const auto& [name, tensor] : initial) {
    Tensor leaf = flat_.narrow(0, offset, tensor.numel()).view(tensor.sizes()).detach();
    offset += tensor.numel();
    index_[name] = leaves_.size();
    names_.push_back(name);
    leaves_.push_back(leaf.requires_grad_(true));
  }
}

Tensor FlatParameters::take_gradient() {
  std::vector<Tensor> parts;
  for (Tensor& leaf : leaves_) {
    Tensor& grad = leaf.mutable_grad();
    parts.push_back(grad.defined() ? grad.reshape({-1}) : at::zeros({leaf.numel()}, leaf.options()));
    grad = Tensor();
  }
  return at::cat(parts);
}

std::vector<std::pair<std::string, Tensor>> FlatParameters::unflatten(const Tensor& flat) const {
  std::vector<std::pair<std::string, Tensor>> out;
  int64_t offset = 0;
  for (size_t i = 0; i < leaves_.size(); ++i) {
    out.emplace_back(names_[i], flat.narrow(0, offset, leaves_[i].numel()).view(leaves_[i].sizes()));
    offset += leaves_[i].numel();
  }
  return out;
}

}  // namespace svdlab
