// Compressed NARs. The first byte chooses the compression, the second the size of the first piece.
#include "store/cache/decompress.h"

#include "fuzz.h"

namespace flox::fuzz::of_decompress {
namespace {

constexpr size_t enough = 8 << 20;  // bytes of output

struct Enough {};

struct Result {
  bool accepted = false;
  std::string output;
  bool operator==(const Result&) const = default;
};

// Throws Enough if the output is larger than is worth while.
Result decompress(std::string_view compression, std::string_view input, size_t first) {
  Result result;
  auto decompressor = store::make_decompressor(compression, [&](std::string_view piece) {
    require(!piece.empty(), "pieces are never empty");
    require(piece.size() <= 1 << 20, "output comes in pieces of bounded size");
    result.output += piece;
    if (result.output.size() > enough) throw Enough();
  });
  result.accepted = accepts([&] {
    if (first > 0) decompressor->feed(input.substr(0, first));
    if (first < input.size()) decompressor->feed(input.substr(first));
    decompressor->finish();
  });
  return result;
}

}  // namespace

void one(std::string_view input) {
  static constexpr std::string_view kinds[] = {"zstd", "xz", "bzip2", "gzip", "br", "none"};
  const std::string_view compression = kinds[take_byte(input) % std::size(kinds)];
  size_t first = take_byte(input);
  first = std::min(first, input.size());
  try {
    const Result whole = decompress(compression, input, 0);
    const Result pieces = decompress(compression, input, first);
    require(whole.accepted == pieces.accepted, "pieces do not change the verdict");
    if (whole.accepted) require(whole.output == pieces.output, "pieces do not change the content");
  } catch (const Enough&) {
  }
}

}  // namespace flox::fuzz::of_decompress
