#include "kernels/gptq_block.h"

#include "core/base/error.h"

namespace svdlab {

void gptq_block(const GptqBlock& b, Stream stream) {
  const int64_t channels = b.upper.cols, columns = b.end - b.begin, rows = b.codes.rows;
  SVDLAB_REQUIRE(b.begin >= 0 && columns >= 0 && b.end <= channels && columns <= GptqBlock::kMostColumns,
                 Errc::kUnexpected, "gptq block: columns [", b.begin, ", ", b.end, ") of ", channels,
                 ", at most ", GptqBlock::kMostColumns, " at once");
  SVDLAB_REQUIRE(b.upper.rows == channels && b.rest.rows == channels && b.rest.cols == rows &&
                     b.codes.cols == channels && b.errors.rows == columns && b.errors.cols == rows,
                 Errc::kUnexpected, "gptq block: shapes of a ", rows, " x ", channels, " weight disagree");
  SVDLAB_REQUIRE(
      b.group > 0 && b.scales.cols * b.group == channels && (b.scales.rows == rows || b.scales.rows == 1),
      Errc::kUnexpected, "gptq block: scales [", b.scales.rows, ", ", b.scales.cols, "] for groups of ",
      b.group, " of ", channels, " columns");
  if (rows == 0 || columns == 0) return;
  if (stream.device == Device::kCuda) return detail::gptq_block_cuda(b, stream);
  detail::gptq_block_cpu(b);
}

}  // namespace svdlab
