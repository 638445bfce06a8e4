#pragma once
#include <string>
#include <vector>

namespace svdlab {

/// Whole file as bytes; kInput when it cannot be read.
std::string read_file(const std::string& path);
/// Writes `path`.tmp.<pid>, flushes, renames over `path`. kResource names the path and the system's reason.
void write_file(const std::string& path, const std::string& bytes);
void make_directories(const std::string& path);

/// Lower-case hex SHA-256.
std::string sha256(const std::string& bytes);
std::string sha256_file(const std::string& path);

}  // namespace svdlab
