// NARs from a cache, unpacked beside a file that must not be touched. What is accepted is written again byte
// for byte; how the archive was cut into pieces does not matter.
#include "nix/nar.h"

#include "base/os/file.h"
#include "fuzz.h"
#include "nix/nar_parser.h"

namespace flox::fuzz::of_nar {
namespace {

// True if accepted. `first` is the size of the first piece.
bool unpack(std::string_view input, size_t first, const fs::path& destination) {
  return accepts(
      [&] {
        nix::NarUnpacker unpacker(destination);
        if (first > 0) unpacker.feed(input.substr(0, first));
        if (first < input.size()) unpacker.feed(input.substr(first));
        unpacker.finish();
      },
      {ErrorKind::invalid_input});
}

// What a parser tells besides what is in the archive: its bytes.
class Bytes : public nix::NarHandler {
 public:
  void name(std::string_view) override {}
  void begin_directory() override {}
  void end_directory() override {}
  void symlink(std::string_view) override {}
  void begin_regular(bool, uint64_t) override {}
  void contents(std::string_view piece) override { all += piece; }
  void end_regular() override {}
  void structure(std::string_view bytes) override { all += bytes; }
  std::string all;
};

std::string dump(const fs::path& tree) {
  std::string bytes;
  nix::write_nar(tree, [&](std::string_view piece) { bytes += piece; });
  return bytes;
}

void require_untouched(const fs::path& directory) {
  size_t entries = 0;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    require(name == "neighbour" || name == "tree", "nothing is written beside the destination");
    ++entries;
  }
  require(entries <= 2 && read_file(directory / "neighbour") == "untouched", "the neighbour is as it was");
}

}  // namespace

void one(std::string_view input) {
  static const TempDir directory("flox-fuzz-");
  static const bool prepared = (write_file(directory.path() / "neighbour", "untouched"), true);
  (void)prepared;
  const fs::path tree = directory.path() / "tree";
  const bool accepted = unpack(input, input.size(), tree);
  require_untouched(directory.path());
  Bytes bytes;
  const bool parsed = accepts([&] {
    nix::NarParser parser(bytes);
    parser.feed(input);
    parser.finish();
  });
  require(!accepted || (parsed && bytes.all == input), "a parser tells every byte of a NAR");
  if (accepted) require(dump(tree) == input, "an accepted NAR is written again byte for byte");
  remove_tree(tree);
  if (input.size() > 400) return;  // pieces are tried on small ones
  require(unpack(input, input.size() * 3 / 7, tree) == accepted, "pieces do not change the verdict");
  remove_tree(tree);
}

}  // namespace flox::fuzz::of_nar
