#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/command_line/program.h"
#include "base/os/file.h"
#include "kube/commands/commands.h"
#include "kube/pods/pod_status.h"

namespace flox::kube {
namespace {

using nlohmann::json;

TEST(Describe, sends_nothing_of_a_pod_s_to_the_terminal_that_the_terminal_would_obey) {
  TempDir dir;
  CommonOptions common;
  common.settings.state = dir.path();
  const std::string hostile = "a\x1b]0;b\x07\x1b[2J\xc2\x9b\xff";
  PodStatus pod;
  pod.uid = "u";
  pod.name = "web";
  pod.namespace_ = "default";
  pod.message = pod.reason = hostile;
  pod.annotations = {{"a/b", hostile}};
  ContainerStatus container;
  container.name = "c";
  container.message = container.last_reason = container.last_message = container.reason = hostile;
  pod.containers = pod.init_containers = {container};
  Event event;
  event.message = hostile;
  pod.events = {event};
  const json status = {{"pods", {to_json(pod)}}, {"workloads", json::array()}};
  write_file(StateDir(dir.path()).status_file(), status.dump(1, ' ', false, json::error_handler_t::replace));
  testing::internal::CaptureStdout();
  CLI::App app("flox kube", "flox kube");
  add_describe(app, common);
  add_ps(app, common);
  EXPECT_EQ(run_command_line(app, {"describe", "web"}), 0);
  EXPECT_EQ(run_command_line(app, {"ps"}), 0);
  const std::string shown = testing::internal::GetCapturedStdout();
  EXPECT_THAT(shown, testing::HasSubstr("a/b=a"));
  for (const char* bad : {"\x1b", "\x07", "\xc2\x9b"})
    EXPECT_THAT(shown, testing::Not(testing::HasSubstr(bad)));
}

}  // namespace
}  // namespace flox::kube
