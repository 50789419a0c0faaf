// When the files of a cache that is a directory are on the disk.
#include "store/cache/file_cache.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>

#include "base/os/file.h"

namespace {

std::atomic<int> brought_to_disk = 0;
std::filesystem::path watched;  // a file
std::string watched_text;       // what it had when it was brought to the disk last

}  // namespace

// In place of the C library's: the same, but seen.
extern "C" int syncfs(int fd) noexcept {
  ++brought_to_disk;
  std::ifstream file(watched);
  watched_text.assign(std::istreambuf_iterator<char>(file), {});
  return static_cast<int>(::syscall(SYS_syncfs, fd));
}

namespace flox::store {
namespace {

TEST(FileCacheTest, a_file_is_on_the_disk_before_it_takes_the_place_of_another) {
  const TempDir directory;
  const fs::path source = directory.path() / "source";
  FileCache cache(CacheUrl::parse("file://" + (directory.path() / "cache").string()));
  cache.prepare();
  watched = directory.path() / "cache/a.narinfo";
  const int before = brought_to_disk;
  write_file(source, "old");
  cache.put("a.narinfo", source, "text/plain");
  EXPECT_EQ(brought_to_disk, before);
  write_file(source, "new");
  cache.put("a.narinfo", source, "text/plain");
  EXPECT_EQ(brought_to_disk, before + 1);
  EXPECT_EQ(watched_text, "old");
  EXPECT_EQ(read_file(watched), "new");
}

}  // namespace
}  // namespace flox::store
