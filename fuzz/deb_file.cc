// .deb files. The first byte says whether the rest is one, or the tar archive inside one. Nothing may be
// written outside of the directory, and nothing from outside may get into it.
#include "package/debian/deb_file.h"

#include "base/os/file.h"
#include "fuzz.h"

namespace flox::fuzz::of_deb_file {
namespace {

constexpr std::string_view secret = "the content of a file outside";

std::string ar_member(std::string_view name, std::string_view content) {
  return fmt::format("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", name, 0, 0, 0, 100644, content.size()) +
         std::string(content) + (content.size() % 2 == 1 ? "\n" : "");
}

std::string deb_of(std::string_view tar) {
  return "!<arch>\n" + ar_member("debian-binary", "2.0\n") + ar_member("data.tar", tar);
}

struct Places {
  TempDir directory{"flox-fuzz-"};
  fs::path deb = directory.path() / "x.deb";
  fs::path neighbour = directory.path() / "neighbour";
  fs::path tree = directory.path() / "tree";
  Places() {
    write_file(neighbour, secret);
    // Where archives of the corpus and of the fuzzer lead: an absolute path that exists.
    write_file("/tmp/flox-fuzz-secret", secret);
  }
  ~Places() { fs::remove("/tmp/flox-fuzz-secret"); }
};

void check(const Places& places) {
  for (const auto& entry : fs::directory_iterator(places.directory.path())) {
    const std::string name = entry.path().filename();
    require(name == "x.deb" || name == "neighbour" || name == "tree",
            "nothing is written beside the directory");
  }
  require(read_file(places.neighbour) == secret, "the neighbour is as it was");
  if (!fs::exists(places.tree)) return;
  for (const auto& entry : fs::recursive_directory_iterator(places.tree))
    if (entry.is_regular_file() && !entry.is_symlink())
      require(read_file(entry.path()) != secret, "no file of this machine gets into the tree");
}

}  // namespace

void one(std::string_view input) {
  static const Places places;
  const bool whole = take_byte(input) % 2 == 0;
  write_file(places.deb, whole ? std::string(input) : deb_of(input));
  std::vector<std::string> listed;
  const bool readable = accepts([&] { listed = package::list_deb(places.deb); });
  for (const std::string& place : listed)
    require(!place.empty() && !place.starts_with('/') && !place.starts_with("../") && place != "..",
            "every place is inside");
  const bool unpacked = accepts([&] { package::unpack_deb(places.deb, places.tree); },
                                {ErrorKind::invalid_input, ErrorKind::conflict});
  check(places);
  require(readable || !unpacked, "what can be unpacked can be listed");
  remove_tree(places.tree);
}

}  // namespace flox::fuzz::of_deb_file
