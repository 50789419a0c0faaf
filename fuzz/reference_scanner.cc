// The scanners that run over every NAR. Input: sizes of pieces, a NUL, the stream. What they find must not
// depend on the pieces.
#include "fuzz.h"
#include "nix/nar.h"

namespace flox::fuzz::of_reference_scanner {
namespace {

constexpr std::string_view digest = "0a1b2c3d4f5g6h7i8j9k0l1m2n3p4q5r";

struct Findings {
  std::set<std::string> references;
  std::string replaced;
  std::vector<uint64_t> offsets;
  Sha256Digest modulo{};
  bool operator==(const Findings&) const = default;
};

Findings scan(std::string_view stream, std::string_view sizes) {
  Findings findings;
  nix::ReferenceScanner scanner({std::string(digest), std::string(32, 'a')});
  nix::Replacer replacer("abab", "wxyz", [&](std::string_view piece) { findings.replaced += piece; });
  nix::ModuloHash hash{std::string(digest)};
  while (!stream.empty()) {
    size_t size = sizes.empty() ? stream.size() : take_byte(sizes);
    const std::string_view piece = stream.substr(0, std::max<size_t>(size, 1));
    stream.remove_prefix(piece.size());
    scanner.update(piece);
    replacer.update(piece);
    hash.update(piece);
  }
  replacer.finish();
  findings.references = scanner.found();
  findings.offsets = replacer.offsets();
  findings.modulo = hash.finish();
  return findings;
}

}  // namespace

void one(std::string_view input) {
  const std::string_view sizes = take_until(input, '\0');
  const Findings whole = scan(input, {});
  require(scan(input, sizes) == whole, "pieces do not change what is found");
  require(whole.references.contains(std::string(digest)) == (input.find(digest) != std::string_view::npos),
          "a digest is found if and only if it is there");
  require(whole.replaced.size() == input.size(), "replacing keeps the length");
}

}  // namespace flox::fuzz::of_reference_scanner
