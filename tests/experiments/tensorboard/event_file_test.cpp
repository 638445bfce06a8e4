#include "experiments/tensorboard/event_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/io/files.h"
#include "experiments/tensorboard/crc32c.h"
#include "experiments/tensorboard/protobuf.h"
#include "tests/support/support.h"

namespace svdlab::tensorboard {
namespace {

// RFC 3720, appendix B.4, and the check value of the CRC catalogue.
TEST(Crc32c, PublishedVectors) {
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  std::string rising;
  for (char c = 0; c < 32; ++c) rising += c;
  EXPECT_EQ(crc32c(rising), 0x46DD794Eu);
}

TEST(Message, EncodesAsProtobufDoes) {
  Message m;
  m.integer(1, 150);
  m.integer(2, -1);
  m.bytes(2, "testing");
  m.real(3, 1.0f);
  m.real(16, 1.0);
  EXPECT_EQ(m.serialized(), std::string("\x08\x96\x01"
                                        "\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"
                                        "\x12\x07testing"
                                        "\x1D\x00\x00\x80\x3F"
                                        "\x81\x01\x00\x00\x00\x00\x00\x00\xF0\x3F",
                                        3 + 11 + 9 + 5 + 10));
}

// The golden file is TensorBoard's own (tests/golden/make_tensorboard.py).
TEST(EventFile, IsByteForByteWhatTensorBoardWrites) {
  const std::string golden = SVDLAB_SOURCE_DIR "/tests/golden/";
  EventFile file(1.7e9);
  file.scalar(1.7e9 + 0.25, 0, "cell/psnr_db", 30.5);
  file.scalar(1.7e9 + 0.5, 300, "zero", 0);
  file.image(1.7e9 + 0.5, 0, "picture", {2, 1, read_file(golden + "tensorboard.png")});
  EXPECT_EQ(file.bytes(), read_file(golden + "tensorboard.tfevents"));
}

TEST(EventFile, IsSavedUnderANameThatTensorBoardLooksFor) {
  const testing::TempDir dir;
  const EventFile file(1700000000.75);
  file.save(dir.file("new/folder"));
  EXPECT_EQ(read_file(dir.file("new/folder/events.out.tfevents.1700000000.svdlab")), file.bytes());
}

}  // namespace
}  // namespace svdlab::tensorboard
