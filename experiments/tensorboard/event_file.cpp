#include "experiments/tensorboard/event_file.h"

#include "core/base/error.h"
#include "core/io/files.h"
#include "experiments/tensorboard/crc32c.h"
#include "experiments/tensorboard/protobuf.h"

namespace svdlab::tensorboard {
namespace {

// Field numbers of tensorflow/core/util/event.proto and framework/summary.proto.
constexpr int kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5;  // Event
constexpr int kValue = 1;                                                // Summary
constexpr int kTag = 1, kSimpleValue = 2, kImage = 4;                    // Summary.Value
constexpr int kHeight = 1, kWidth = 2, kColorspace = 3, kEncoded = 4;    // Summary.Image
constexpr int kRgb = 3;

// Length, its checksum, the data, its checksum.
std::string record(const std::string& data) {
  const std::string length = little_endian(data.size(), 8);
  return length + little_endian(masked_crc32c(length), 4) + data + little_endian(masked_crc32c(data), 4);
}

std::string summary_record(double time, int64_t step, const Message& value) {
  Message summary, event;
  summary.message(kValue, value);
  event.real(kWallTime, time);
  if (step != 0) event.integer(kStep, step);  // as every protobuf writer leaves out what is the default
  event.message(kSummary, summary);
  return record(event.serialized());
}

}  // namespace

EventFile::EventFile(double started) : started_(started) {
  Message event;
  event.real(kWallTime, started);
  event.bytes(kFileVersion, "brain.Event:2");
  bytes_ = record(event.serialized());
}

void EventFile::scalar(double time, int64_t step, const std::string& tag, double value) {
  Message v;
  v.bytes(kTag, tag);
  v.real(kSimpleValue, static_cast<float>(value));
  bytes_ += summary_record(time, step, v);
}

void EventFile::image(double time, int64_t step, const std::string& tag, const EncodedImage& image) {
  Message picture, v;
  picture.integer(kHeight, image.height);
  picture.integer(kWidth, image.width);
  picture.integer(kColorspace, kRgb);
  picture.bytes(kEncoded, image.png);
  v.bytes(kTag, tag);
  v.message(kImage, picture);
  bytes_ += summary_record(time, step, v);
}

void EventFile::save(const std::string& folder) const {
  make_directories(folder);
  write_file(concat(folder, "/events.out.tfevents.", static_cast<int64_t>(started_), ".svdlab"), bytes_);
}

}  // namespace svdlab::tensorboard
