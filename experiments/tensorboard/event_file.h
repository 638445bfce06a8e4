#pragma once
#include <cstdint>
#include <string>

namespace svdlab::tensorboard {

struct EncodedImage {
  int width = 0, height = 0;
  std::string png;
};

/// One TensorBoard event file: TFRecords of tensorflow.Event messages. Collects in memory; save() writes it.
class EventFile {
 public:
  /// @param started  seconds since 1970, the time of the file's first record
  explicit EventFile(double started);

  void scalar(double time, int64_t step, const std::string& tag, double value);
  void image(double time, int64_t step, const std::string& tag, const EncodedImage& image);

  const std::string& bytes() const { return bytes_; }
  /// Writes `folder`/events.out.tfevents.<started>.svdlab, the kind of name that TensorBoard looks for, and
  /// replaces the one that is there.
  void save(const std::string& folder) const;

 private:
  double started_;
  std::string bytes_;
};

}  // namespace svdlab::tensorboard
