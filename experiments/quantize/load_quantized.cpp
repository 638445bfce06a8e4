#include "experiments/quantize/load_quantized.h"

#include "core/base/error.h"
#include "core/io/compressed_file.h"

namespace svdlab {

CompressedModel load_quantized(const std::string& folder, const Model& model) {
  const CompressedFolder files(folder);
  const CompressedHeader& header = files.header();
  SVDLAB_REQUIRE(header.model_class == model.class_name, Errc::kInput, folder, ": is a ", header.model_class,
                 ", ", model.path, " a ", model.class_name);
  const std::string hash = model_hash(model.path);
  SVDLAB_REQUIRE(header.model_hash == hash, Errc::kInput, folder, ": was made from the model with SHA-256 ",
                 header.model_hash.substr(0, 12), " ..., ", model.path, " has ", hash.substr(0, 12),
                 " ...; give the checkpoint that was quantized");
  return files.load_model();
}

}  // namespace svdlab
