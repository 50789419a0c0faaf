#include "activation/keeper/starts.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "base/os/process.h"

namespace flox::activation {
namespace {

class StartsTest : public testing::Test {
 protected:
  static Request request(Request::Kind kind, pid_t pid = ::getpid(), const std::string& profile = "/p") {
    Request request;
    request.kind = kind;
    request.key = {.profile = profile, .mode = "dev"};
    request.pid = pid;
    return request;
  }
  static Request ready(const std::string& value) {
    Request request = StartsTest::request(Request::Kind::ready);
    request.changes.set["HOOKED"] = value;
    return request;
  }
  // The answer to the connection; nothing if it still waits.
  std::optional<Answer> answered(ConnectionId id) {
    const auto found = answers_.find(id);
    if (found == answers_.end()) return std::nullopt;
    Answer answer = found->second;
    answers_.erase(found);
    return answer;
  }

  std::map<ConnectionId, Answer> answers_;
  Starts starts_{[this](ConnectionId id, const Answer& answer) { answers_[id] = answer; }};
};

TEST_F(StartsTest, the_first_runs_the_hook_and_the_others_get_what_it_did) {
  starts_.begin(1, request(Request::Kind::begin));
  EXPECT_TRUE(answered(1)->run_hook);
  starts_.begin(2, request(Request::Kind::begin));
  EXPECT_FALSE(answered(2));
  starts_.ready(1, ready("yes"));
  EXPECT_EQ(answered(2)->changes.set.at("HOOKED"), "yes");
  starts_.begin(3, request(Request::Kind::begin));
  EXPECT_EQ(answered(3)->changes.set.at("HOOKED"), "yes");
  starts_.begin(4, request(Request::Kind::begin, ::getpid(), "/other"));
  EXPECT_TRUE(answered(4)->run_hook);
}

TEST_F(StartsTest, if_the_first_goes_without_a_word_the_next_one_runs_the_hook) {
  starts_.begin(1, request(Request::Kind::begin));
  starts_.begin(2, request(Request::Kind::begin));
  starts_.begin(3, request(Request::Kind::begin));
  starts_.disconnected(2);
  starts_.disconnected(1);
  EXPECT_TRUE(answered(3)->run_hook);
  starts_.disconnected(3);
  EXPECT_EQ(starts_.take_unused().size(), 1u);
  EXPECT_TRUE(starts_.all().empty());
}

TEST_F(StartsTest, only_who_was_told_to_can_say_that_the_hook_has_run) {
  starts_.begin(1, request(Request::Kind::begin));
  starts_.ready(2, ready("forged"));
  EXPECT_FALSE(answered(2)->error.empty());
  starts_.ready(1, ready("yes"));
  starts_.ready(1, ready("again"));
  EXPECT_FALSE(answered(1)->error.empty());
}

TEST_F(StartsTest, a_start_is_used_until_the_last_process_has_ended_or_left) {
  Process one({.argv = {"sleep", "1000"}, .env = {}, .cwd = {}, .input = {}}, {});
  starts_.begin(1, request(Request::Kind::begin, one.pid()));
  starts_.ready(1, ready("yes"));
  starts_.attach(2, request(Request::Kind::attach));
  EXPECT_TRUE(starts_.take_unused().empty());
  one.kill(SIGKILL);
  one.wait();
  EXPECT_TRUE(starts_.take_unused().empty());
  starts_.detach(2, request(Request::Kind::detach));
  const auto unused = starts_.take_unused();
  ASSERT_EQ(unused.size(), 1u);
  EXPECT_TRUE(unused[0].ready);
  starts_.attach(2, request(Request::Kind::attach));
  EXPECT_FALSE(answered(2)->error.empty());
}

TEST_F(StartsTest, a_shell_that_will_say_that_it_is_there_is_waited_for) {
  Request begin = request(Request::Kind::begin, 0);
  begin.linger = true;
  starts_.begin(1, begin);
  starts_.ready(1, ready("yes"));
  EXPECT_TRUE(starts_.take_unused().empty());
  EXPECT_TRUE(starts_.next_deadline().has_value());
  starts_.attach(2, request(Request::Kind::attach));
  EXPECT_FALSE(starts_.next_deadline().has_value());
  starts_.detach(2, request(Request::Kind::detach));
  EXPECT_EQ(starts_.take_unused().size(), 1u);
}

}  // namespace
}  // namespace flox::activation
