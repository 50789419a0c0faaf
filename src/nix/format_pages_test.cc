// What docs/formats/ says of Nix's formats holds for this code.
#include <gtest/gtest.h>

#include <sstream>

#include "base/data/bytes.h"
#include "base/os/file.h"
#include "nix/base32.h"
#include "nix/cache_info.h"
#include "nix/content_address.h"
#include "nix/nar.h"
#include "nix/narinfo.h"
#include "testing/format_page.h"

namespace flox::nix {
namespace {

// The words of a block of bytes: "0d" is a byte, "(" stands for itself, "hello\n" for its bytes.
std::string nar_bytes(const std::string& block) {
  std::string bytes;
  std::istringstream lines(block);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 8 && words >> word; ++i) bytes += from_hex(word);
    words >> word;
    if (const size_t feed = word.find("\\n"); feed != std::string::npos) word.replace(feed, 2, "\n");
    bytes += word;
    bytes.resize((bytes.size() + 7) / 8 * 8);
  }
  return bytes;
}

TEST(StorePathPage, ShowsBase32) {
  std::istringstream words(format_example("store-path.md", "base32"));
  std::string word;
  std::vector<std::string> last_of_line;
  for (std::string line; std::getline(words, line);) last_of_line.push_back(line.substr(line.rfind(' ') + 1));
  ASSERT_EQ(last_of_line.size(), 2);
  EXPECT_EQ(from_hex(last_of_line[0]), bytes_of(sha256("hello\n")));
  EXPECT_EQ(to_base32(bytes_of(sha256("hello\n"))), last_of_line[1]);
}

TEST(StorePathPage, ShowsContentAddressesAndTheirPaths) {
  std::istringstream words(format_example("store-path.md", "content-addresses"));
  int count = 0;
  for (std::string address, name, path; words >> address >> name >> path; ++count) {
    EXPECT_EQ(ContentAddress::parse(address).value().path(name).to_string(), path);
    EXPECT_EQ(ContentAddress::parse(address).value().to_string(), address);
  }
  EXPECT_EQ(count, 2);
}

TEST(NarPage, ShowsTheNarOfAFile) {
  const TempDir dir;
  write_file(dir.path() / "hello.txt", "hello\n");
  std::string nar;
  write_nar(dir.path() / "hello.txt", [&](std::string_view piece) { nar += piece; });
  EXPECT_EQ(nar.size(), 120);
  EXPECT_EQ(to_hex(nar), to_hex(nar_bytes(format_example("nar.md", "one-file-hex"))));
}

TEST(BinaryCachePage, ShowsAnInfoThatIsReadAndWrittenAsItStands) {
  const std::string text = format_example("binary-cache.md", "nix-cache-info");
  const CacheInfo info = CacheInfo::parse(text);
  EXPECT_EQ(info.priority, 40);
  EXPECT_TRUE(info.want_mass_query);
  EXPECT_EQ(info.to_string(), text);
}

TEST(BinaryCachePage, ShowsANarinfoAndTheMessageThatIsSigned) {
  const std::string text = format_example("binary-cache.md", "narinfo");
  const NarInfo narinfo = NarInfo::parse(text);
  EXPECT_EQ(narinfo.to_string(), text);
  EXPECT_EQ(narinfo.info.fingerprint() + "\n", format_example("binary-cache.md", "fingerprint"));
  EXPECT_TRUE(names(narinfo.info.content_address.value(), narinfo.info.path, {}));
}

}  // namespace
}  // namespace flox::nix
