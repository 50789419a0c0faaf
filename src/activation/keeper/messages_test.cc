#include "activation/keeper/messages.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::activation {
namespace {

TEST(KeeperMessages, read_as_they_were_written_whatever_bytes_variables_have) {
  Request request;
  request.kind = Request::Kind::restart;
  request.key = {.profile = "/nix/store/x", .mode = "run"};
  request.pid = 7;
  request.linger = true;
  request.changes.set = {{"A", "\xff=\n"}, {"B", ""}};
  request.changes.unset = {"C"};
  request.environment = {{"PATH", "/bin"}};
  request.cwd = "/\xfe";
  request.services.auto_start = true;
  request.services.by_name["web"].command = "x";
  request.services.by_name["web"].vars = {{"A", "1"}};
  request.names = {"web"};
  EXPECT_EQ(parse_request(to_text(request)), request);
  Answer answer;
  answer.error = "no";
  answer.advice = "Do.";
  answer.run_hook = true;
  answer.changes = request.changes;
  answer.services = {{.name = "web", .status = "Running", .pid = 8, .exit_code = {}},
                     {.name = "db", .status = "Completed", .pid = {}, .exit_code = 0}};
  answer.done = {"a"};
  answer.keeper = 9;
  answer.unchanged = {"b"};
  EXPECT_EQ(parse_answer(to_text(answer)), answer);
  EXPECT_EQ(parse_answer("{}"), Answer{});
}

TEST(KeeperMessages, that_are_wrong_are_refused) {
  for (const char* text : {"", "[]", "{}", R"({"kind": "jump"})", R"({"kind": "stop", "pid": -1})",
                           R"({"kind": "stop", "pid": 1e30})", R"({"kind": "stop", "pid": 9999999999})",
                           R"({"kind": "stop", "names": "x"})", R"({"kind": "stop", "names": [1]})",
                           R"({"kind": "stop", "set": "!"})", R"({"kind": "stop", "set": "QQ"})",
                           R"({"kind": "stop", "linger": 1})", R"({"kind": "start", "services": "["})"})
    EXPECT_THROW(parse_request(text), Error) << text;
}

TEST(KeeperMessages, are_taken_from_what_has_come_once_they_are_whole) {
  std::string buffer;
  const std::string frames = framed("one") + framed("") + framed("three");
  std::vector<std::string> taken;
  for (const char byte : frames) {
    buffer += byte;
    if (auto text = take_frame(buffer)) taken.push_back(*text);
  }
  EXPECT_EQ(taken, (std::vector<std::string>{"one", "", "three"}));
  buffer = "\xff\xff\xff\x7f";
  EXPECT_THROW(take_frame(buffer), Error);
}

}  // namespace
}  // namespace flox::activation
