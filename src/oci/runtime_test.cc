#include "oci/runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::oci {
namespace {

using testing::ElementsAre;

TEST(RuntimeTest, WritesTheCommandLinesOfRunc) {
  Runtime runc({.binary = "runc", .root = "/r/ns", .systemd_cgroup = true, .no_pivot_root = true});
  EXPECT_THAT(
      runc.create("c", "/b", "/b/init.pid", "/tmp/pty.sock"),
      ElementsAre("runc", "--root", "/r/ns", "--systemd-cgroup", "create", "--bundle", "/b", "--pid-file",
                  "/b/init.pid", "--console-socket", "/tmp/pty.sock", "--no-pivot", "c"));
  Runtime plain({.root = "/r"});
  EXPECT_THAT(plain.kill("c", 9, true), ElementsAre("runc", "--root", "/r", "kill", "--all", "c", "9"));
  EXPECT_THAT(plain.exec("c", "/p", "/b/e.pid", ""),
              ElementsAre("runc", "--root", "/r", "exec", "--process", "/p", "--detach", "--pid-file",
                          "/b/e.pid", "c"));
}

TEST(RuntimeTest, TheLastErrorOfTheLogIsTheReason) {
  TempDir dir;
  const std::filesystem::path log = dir.path() / "log.json";
  EXPECT_THAT(with_log({"runc", "start", "c"}, log),
              ElementsAre("runc", "--log", log.string(), "--log-format", "json", "start", "c"));
  EXPECT_THAT(
      with_log({"runc", "--root", "/r", "start", "c"}, log),
      ElementsAre("runc", "--root", "/r", "--log", log.string(), "--log-format", "json", "start", "c"));
  EXPECT_EQ(last_error(log), std::nullopt);
  std::ofstream(log) << R"({"level":"error","msg":"first"})"
                        "\n"
                     << R"({"level":"error","msg":"exec: \"x\": not found"})"
                        "\n"
                     << R"({"level":"warning","msg":"later"})"
                        "\nnot json\n"
                        R"({"level":"err)";
  EXPECT_EQ(last_error(log), "exec: \"x\": not found");
}

TEST(RuntimeTest, ReadsTheListOfProcesses) {
  EXPECT_THAT(parse_pids("[12,13]\n"), ElementsAre(12, 13));
  EXPECT_THAT(parse_pids("null"), ElementsAre());
  EXPECT_THROW(parse_pids("oops"), Error);
}

}  // namespace
}  // namespace flox::oci
