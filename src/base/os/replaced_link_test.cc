#include "base/os/replaced_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/error.h"
#include "base/os/file.h"

namespace flox {
namespace {

using testing::AnyOf;
using testing::ElementsAre;

TEST(ReplacedLink, leads_where_it_was_told_to_last_whatever_was_left) {
  const TempDir dir;
  const Directory directory(dir.path());
  replace_link(directory, "link", "one");
  directory.make_link(".link.new", "left by one that was killed");
  replace_link(directory, "link", "two");
  EXPECT_EQ(directory.read_link("link"), "two");
  EXPECT_THAT(directory.names(), ElementsAre("link"));
}

TEST(ReplacedLink, is_made_elsewhere_where_nothing_else_may_be_seen) {
  const TempDir dir;
  const Directory aside(dir.path()), directory = aside.make_directory("directory");
  aside.make_link("unfinished", "left by one that was killed");
  replace_link(directory, "link", "one", aside, "unfinished");
  EXPECT_EQ(directory.read_link("link"), "one");
  EXPECT_THAT(directory.names(), ElementsAre("link"));
  EXPECT_THAT(aside.names(), ElementsAre("directory"));
  EXPECT_THROW(replace_link(directory, "../link", "one", aside, "unfinished"), Error);
  EXPECT_THAT(aside.names(), ElementsAre("directory"));
}

TEST(ReplacedLink, of_several_at_once_one_is_the_last) {
  const TempDir dir;
  const Directory directory(dir.path());
  std::vector<std::thread> threads;
  for (const char* target : {"one", "two"})
    threads.emplace_back([&directory, target] {
      for (int i = 0; i < 200; ++i) replace_link(directory, "link", target);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(directory.read_link("link"), AnyOf("one", "two"));
  EXPECT_THAT(directory.names(), ElementsAre("link"));
}

}  // namespace
}  // namespace flox
