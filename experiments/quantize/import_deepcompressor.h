#pragma once
#include <string>
#include <vector>

#include "core/base/value.h"

namespace svdlab {

/// What became of one key of a DeepCompressor configuration.
struct ImportedKey {
  enum class Fate {
    kTranslated,     ///< it is in the configuration
    kElsewhere,      ///< another command or option says it
    kNoEffect,       ///< the result does not depend on it here
    kNoCounterpart,  ///< it is lost
  };
  std::string key, value;  ///< quant.wgts.low_rank.rank, 32
  Fate fate = Fate::kNoCounterpart;
  std::string note;  ///< what it became, or why not
};

struct ImportedConfig {
  Value config = Value::map();    ///< what load_quantize_config reads
  std::vector<ImportedKey> keys;  ///< every key of the files, in order

  std::vector<std::string> of(ImportedKey::Fate fate) const;
  /// The configuration as YAML below a comment for each key.
  std::string text() const;
};

/// DeepCompressor's YAML files (github.com/mit-han-lab/deepcompressor, examples/diffusion/configs), laid over
/// each other left to right as its ptq command does with model, svdquant and format files; keys they leave
/// open have its defaults. Throws kConfig, naming key and value, where there is nothing to translate to: a
/// number format, grouping or scale type that no scheme has, or no weights' format at all.
ImportedConfig import_deepcompressor(const std::vector<std::string>& files);

}  // namespace svdlab
