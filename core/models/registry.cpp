#include "core/models/registry.h"

#include "core/models/flux.h"

namespace svdlab {

const Registry<ArchitectureFactory>& architectures() {
  static const Registry<ArchitectureFactory> registry{
      "model class",
      {{"FluxTransformer2DModel", "FLUX.1: double- and single-stream diffusion transformer",
        [](const Value& config, const TensorSource& source) {
          return build_flux(parse_flux_config(config), source);
        }}}};
  return registry;
}

}  // namespace svdlab
