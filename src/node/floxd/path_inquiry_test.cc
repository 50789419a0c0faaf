#include "node/floxd/path_inquiry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <set>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::node {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

class PathInquiryTest : public testing::Test {
 protected:
  nix::PathInfo add(const std::string& name) {
    write_file(directory_.path() / name, name);
    return store_.query(store_.add_tree(directory_.path() / name, name, {}).path).value();
  }
  // Calls `answer` for each question, one after the other, until it has said that it has seen enough.
  using Answer = std::function<bool(const std::vector<std::string>& names, const PathInquiry::Shown& shown,
                                    const std::vector<nix::PathInfo>& infos)>;
  void inquire(const nix::StorePathSet& paths, const Answer& answer) {
    std::promise<void> end;
    bool is_over = false;
    PathInquiry inquiry(store_, known_,
                        {.ask =
                             [&](const auto& infos, const auto& shown, const std::stop_token&) {
                               std::vector<std::string> names;
                               for (const nix::PathInfo& info : infos) names.emplace_back(info.path.name());
                               const bool is_last = answer(names, shown, infos);
                               if (is_last && !std::exchange(is_over, true)) end.set_value();
                             },
                         .at_once = at_once_,
                         .pause = std::chrono::milliseconds(1),
                         .after_failure = std::chrono::milliseconds(1)});
    inquiry.note(paths);
    end.get_future().wait();
  }

  size_t at_once_ = 500;
  const TempDir directory_;
  store::LocalStore store_{directory_.path() / "root"};
  store::PublicPaths known_{directory_.path() / "public", [](std::string_view) { return true; }};
};

TEST_F(PathInquiryTest, what_a_cache_shows_is_public_and_what_is_known_is_not_asked_for) {
  const nix::PathInfo one = add("one"), two = add("two"), three = add("three");
  known_.add({one});
  inquire({one.path, two.path, three.path}, [&](const auto& names, const auto& shown, const auto& infos) {
    EXPECT_THAT(names, UnorderedElementsAre("two", "three"));
    for (const nix::PathInfo& info : infos)
      if (info.path == two.path) shown(info);
    return true;
  });
  EXPECT_TRUE(known_.contains(two));
  EXPECT_FALSE(known_.contains(three));
}

TEST_F(PathInquiryTest, what_was_not_answered_is_asked_again) {
  const nix::PathInfo one = add("one"), two = add("two");
  int questions = 0;
  inquire({one.path, two.path}, [&](const auto& names, const auto& shown, const auto& infos) {
    if (++questions == 1) {
      for (const nix::PathInfo& info : infos)
        if (info.path == one.path) shown(info);
      fail(ErrorKind::unavailable, "a cache is down");
    }
    EXPECT_THAT(names, ElementsAre("two"));
    shown(infos.front());
    return true;
  });
  EXPECT_TRUE(known_.contains(one));
  EXPECT_TRUE(known_.contains(two));
}

TEST_F(PathInquiryTest, what_is_never_answered_keeps_nothing_else_waiting) {
  const nix::PathInfo one = add("one"), two = add("two"), three = add("three");
  at_once_ = 1;
  std::set<std::string> asked;
  inquire({one.path, two.path, three.path}, [&](const auto& names, const auto&, const auto&) -> bool {
    asked.insert(names.front());
    if (asked.size() == 3) return true;
    fail(ErrorKind::unavailable, "a cache is down");
  });
}

TEST_F(PathInquiryTest, ends_in_the_middle_of_a_question) {
  const nix::PathInfo one = add("one");
  std::promise<void> asked;
  {
    PathInquiry inquiry(store_, known_, {.ask = [&](const auto&, const auto&, const std::stop_token& stop) {
                          asked.set_value();
                          while (!stop.stop_requested()) std::this_thread::yield();
                        }});
    inquiry.note({one.path});
    asked.get_future().wait();
  }
  EXPECT_FALSE(known_.contains(one));
}

}  // namespace
}  // namespace flox::node
