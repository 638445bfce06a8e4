#pragma once
#include <cstdint>
#include <string>

namespace svdlab::tensorboard {

/// CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected), as in RFC 3720 appendix B.4.
uint32_t crc32c(const std::string& bytes);

/// The checksum that TFRecord files store: rotated right by 15 bits and offset, so that the checksum of data
/// that holds checksums stays useful (TensorFlow, core/lib/hash/crc32c.h).
uint32_t masked_crc32c(const std::string& bytes);

}  // namespace svdlab::tensorboard
