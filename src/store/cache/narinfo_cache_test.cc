// What caches have said is remembered within bounds, whatever a fetcher tells.
#include "store/cache/narinfo_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/os/file.h"

namespace flox::store {
namespace {

uint64_t resident_bytes() {
  uint64_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

TEST(NarinfoCache, an_answer_that_is_told_again_and_again_takes_one_place) {
  const TempDir temp;
  NarinfoCache cache(temp.path() / "answers", {});
  const uint64_t before = resident_bytes();
  const std::string text(64 << 10, 'x');
  for (int i = 0; i < 4000; ++i) cache.remember("cache", "name", text);
  EXPECT_LT(resident_bytes(), before + (32 << 20));
  cache.flush();
  EXPECT_EQ(cache.find("cache", "name")->text, text);
}

TEST(NarinfoCache, many_answers_do_not_wait_in_memory) {
  const TempDir temp;
  NarinfoCache cache(temp.path() / "answers", {});
  for (int i = 0; i < 5000; ++i) cache.remember("cache", std::to_string(i), std::nullopt);
  EXPECT_TRUE(NarinfoCache(temp.path() / "answers", {}).find("cache", "1").has_value());
}

TEST(NarinfoCache, a_file_that_has_grown_begins_anew) {
  const TempDir temp;
  {
    NarinfoCache cache(temp.path() / "answers", {});
    for (int i = 0; i < 1000; ++i) cache.remember("cache", std::to_string(i), std::string(1000, 'x'));
  }
  EXPECT_TRUE(NarinfoCache(temp.path() / "answers", {}).find("cache", "1").has_value());
  EXPECT_FALSE(NarinfoCache(temp.path() / "answers", {.most = 500'000}).find("cache", "1").has_value());
}

}  // namespace
}  // namespace flox::store
