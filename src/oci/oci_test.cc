#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/os/file.h"
#include "oci/mount.h"
#include "oci/runtime.h"
#include "oci/runtime_spec.h"
#include "oci/sandbox_spec.h"

namespace flox::oci {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const char* const config =
    R"({"zeta":18446744073709551615,"ociVersion":"1.0.2","process":{"terminal":true,)"
    R"("user":{"uid":1000,"gid":2000},"args":["sh","-c","x"],"env":["A=1","PATH=/bin"],"cwd":"/flox",)"
    R"("future":{"b":1,"a":2}},"root":{"path":"rootfs"},"mounts":[{"destination":"/proc"},)"
    R"({"destination":"/nix/store/cache"}],"annotations":{"k":"v"},)"
    R"("linux":{"namespaces":[{"type":"pid"},{"type":"mount"}]}})";

TEST(RuntimeSpecTest, WhatIsNotEditedStaysAsItWas) {
  RuntimeSpec spec = RuntimeSpec::parse(config);
  EXPECT_EQ(spec.dump(), config);
  spec.set_process(spec.process());
  EXPECT_EQ(spec.dump(), config);
}

TEST(RuntimeSpecTest, ReadsWhatTheShimNeeds) {
  RuntimeSpec spec = RuntimeSpec::parse(config);
  EXPECT_EQ(spec.annotation("k"), "v");
  EXPECT_EQ(spec.annotation("none"), "");
  EXPECT_EQ(spec.root_path(), "rootfs");
  EXPECT_TRUE(spec.has_own_pid_namespace());
  ProcessSpec process = spec.process();
  EXPECT_TRUE(process.terminal());
  EXPECT_THAT(process.args(), ElementsAre("sh", "-c", "x"));
  EXPECT_EQ(process.uid(), 1000U);
  EXPECT_EQ(process.gid(), 2000U);
  EXPECT_EQ(process.cwd(), "/flox");
}

TEST(RuntimeSpecTest, AUserOverThirtyTwoBitsIsRefusedRatherThanCutToAnother) {
  EXPECT_EQ(ProcessSpec::parse(R"({"user":{"uid":4294967295}})").uid(), 4294967295U);
  EXPECT_THROW(ProcessSpec::parse(R"({"user":{"uid":4294967296}})").uid(), Error);
  EXPECT_THROW(ProcessSpec::parse(R"({"user":{"gid":4294967297}})").gid(), Error);
}

TEST(RuntimeSpecTest, AJoinedOrMissingPidNamespaceIsNotOwn) {
  EXPECT_FALSE(RuntimeSpec::parse("{}").has_own_pid_namespace());
  EXPECT_FALSE(RuntimeSpec::parse(R"({"linux":{"namespaces":[{"type":"pid","path":"/proc/1/ns/pid"}]}})")
                   .has_own_pid_namespace());
}

TEST(RuntimeSpecTest, AMountIsAddedBehindAllOthersAndSoLiesOnTop) {
  RuntimeSpec spec = RuntimeSpec::parse(config);
  spec.add_mount({"/nix/store", "bind", "/var/store", {"rbind", "ro"}});
  EXPECT_THAT(spec.dump(), HasSubstr(R"({"destination":"/nix/store","type":"bind",)"
                                     R"("source":"/var/store","options":["rbind","ro"]}])"));
  EXPECT_EQ(spec.places().back(), "/nix/store");
}

TEST(RuntimeSpecTest, SaysWhereMountsAndDevicesAreMade) {
  EXPECT_THAT(RuntimeSpec::parse(R"({"mounts":[{"destination":"/a"},{"type":"tmpfs"}],
                                     "linux":{"devices":[{"path":"/dev/x"}]}})")
                  .places(),
              ElementsAre("/a", "", "/dev/x"));
  EXPECT_THAT(RuntimeSpec::parse(R"({"mounts":7,"linux":[]})").places(), ElementsAre());
}

TEST(RuntimeSpecTest, KnowsItsLimitLabelAndUserNamespace) {
  RuntimeSpec spec = RuntimeSpec::parse(
      R"({"linux":{"mountLabel":"l","resources":{"memory":{"limit":5}},"namespaces":[{"type":"user"}]}})");
  EXPECT_EQ(spec.memory_limit(), 5U);
  EXPECT_EQ(spec.mount_label(), "l");
  EXPECT_TRUE(spec.has_user_namespace());
  EXPECT_EQ(RuntimeSpec::parse(R"({"linux":{"resources":{"memory":{"limit":-1}}}})").memory_limit(), 0U);
  EXPECT_FALSE(RuntimeSpec::parse("{}").has_user_namespace());
}

TEST(RuntimeSpecTest, ASpecWithoutBoundsIsRefusedBeforeItIsBuilt) {
  EXPECT_THROW(RuntimeSpec::parse(R"({"a":)" + std::string(1'000'000, '[')), Error);
  std::string many = R"({"annotations":{)";
  for (int i = 0; i < 200'000; ++i) many += fmt::format("{}\"{}\":\"\"", i == 0 ? "" : ",", i);
  EXPECT_THROW(RuntimeSpec::parse(many + "}}"), Error);
  EXPECT_THROW(RuntimeSpec::parse("{\"a\":\"" + std::string(17 << 20, 'x') + "\"}"), Error);
  EXPECT_THROW(ProcessSpec::parse(R"({"args":["a"],"args":["b"]})"), Error);
  EXPECT_THROW(RuntimeSpec::parse(R"({"annotations":{"k":7}})").annotations("k"), Error);
}

TEST(RuntimeSpecTest, BadJsonIsInvalidInputThatNamesTheFile) {
  TempDir dir;
  std::ofstream(dir.path() / "config.json") << "{oops";
  try {
    RuntimeSpec::load(dir.path() / "config.json");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
    EXPECT_THAT(error.what(), HasSubstr("config.json"));
  }
  EXPECT_THROW(RuntimeSpec::parse("[]"), Error);
}

TEST(RuntimeSpecTest, VariablesAreSetInPlaceAndTheLastOfEqualNamesCounts) {
  Environment environment{"PATH=/a", "PATHX=1", "PATH=/b"};
  EXPECT_EQ(get_variable(environment, "PATH"), "/b");
  EXPECT_EQ(get_variable(environment, "PAT"), std::nullopt);
  set_variable(environment, "PATH", "/c");
  set_variable(environment, "HOME", "/");
  EXPECT_THAT(environment, ElementsAre("PATH=/c", "PATHX=1", "PATH=/c", "HOME=/"));
}

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

// Runs `body` in a mount namespace of its own; its result is that of the child process.
void in_mount_namespace(const std::function<void()>& body) {
  pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "", MS_PRIVATE | MS_REC, "") != 0) _exit(77);
    try {
      body();
    } catch (const std::exception& error) {
      fprintf(stderr, "%s\n", error.what());
      _exit(1);
    }
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "needs root";
  EXPECT_EQ(status, 0);
}

TEST(MountTest, MountsAnOverlayOfManyLayersAndUnmountsItWhole) {
  TempDir dir;
  in_mount_namespace([&] {
    // An overlay's upper directory cannot lie on an overlay itself.
    ASSERT_EQ(mount("tmpfs", dir.path().c_str(), "tmpfs", 0, ""), 0);
    std::string lower;
    for (int i = 0; i < 60; ++i) {
      fs::path layer =
          dir.path() / "a-long-name-such-as-that-of-a-snapshotter-in-var-lib" / std::to_string(i) / "fs";
      fs::create_directories(layer);
      write_file(layer / ("file" + std::to_string(i)), "x");
      if (!lower.empty()) lower += ':';
      lower += layer.string();
    }
    ASSERT_GT(lower.size(), 4096U);
    for (const char* name : {"upper", "work", "root", "extra"}) fs::create_directories(dir.path() / name);
    fs::path root = dir.path() / "root";
    mount_all({{"overlay",
                "overlay",
                "",
                {"lowerdir=" + lower, "upperdir=" + (dir.path() / "upper").string(),
                 "workdir=" + (dir.path() / "work").string()}}},
              root);
    EXPECT_TRUE(fs::exists(root / "file0"));
    EXPECT_TRUE(fs::exists(root / "file59"));
    fs::create_directory(root / "sub");
    mount_all({{"bind", dir.path() / "extra", "/sub", {"rbind", "ro"}}}, root);
    EXPECT_THROW(write_file(root / "sub/x", "x"), Error);
    unmount_all(root);
    EXPECT_TRUE(fs::is_empty(root));
    unmount_all(root);
    unmount_all(dir.path() / "missing");
  });
}

TEST(MountTest, AFailedMountLeavesNothingBehind) {
  TempDir dir;
  in_mount_namespace([&] {
    fs::create_directories(dir.path() / "root");
    fs::create_directories(dir.path() / "layer");
    write_file(dir.path() / "layer/file", "x");
    EXPECT_THROW(mount_all({{"bind", dir.path() / "layer", "", {"rbind"}},
                            {"bind", dir.path() / "none", "", {"bind"}}},
                           dir.path() / "root"),
                 Error);
    EXPECT_TRUE(fs::is_empty(dir.path() / "root"));
  });
}

}  // namespace

// --- the spec of a pod's sandbox

const char* const plain_sandbox = R"({
  "annotations": {"io.kubernetes.cri.container-type": "sandbox"}, "hostname": "pod",
  "process": {"args": ["/pause"], "user": {"uid": 5, "gid": 6, "additionalGids": [7]}, "oomScoreAdj": -998,
              "cwd": "/", "noNewPrivileges": true},
  "linux": {"cgroupsPath": "/kubepods/pod1/sandbox", "sysctl": {"net.ipv4.ip_forward": "1", "kernel.sem": "1 2 3 4"},
            "resources": {"devices": [{"allow": false, "access": "rwm"}], "cpu": {"shares": 2}},
            "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                           {"type": "network", "path": "/run/netns/pod"}]}})";

// What keeps the sandbox from being made by the shim, when `patch` (RFC 7396) is applied to a plain one.
std::string reason_against(const char* patch) {
  nlohmann::json spec = nlohmann::json::parse(plain_sandbox);
  spec.merge_patch(nlohmann::json::parse(patch));
  std::string why;
  return SandboxSpec::of(RuntimeSpec::parse(spec.dump()), why) ? "none" : why;
}

TEST(SandboxSpec, reads_a_plain_one) {
  std::string why;
  auto spec = SandboxSpec::of(RuntimeSpec::parse(plain_sandbox), why);
  ASSERT_TRUE(spec) << why;
  EXPECT_EQ(spec->uid, 5U);
  EXPECT_EQ(spec->gid, 6U);
  EXPECT_THAT(spec->additional_gids, ElementsAre(7));
  EXPECT_EQ(spec->oom_score_adj, -998);
  EXPECT_EQ(spec->hostname, "pod");
  EXPECT_EQ(spec->cpu_shares, 2U);
  EXPECT_EQ(spec->cgroups_path, "/kubepods/pod1/sandbox");
  EXPECT_EQ(spec->sysctls.size(), 2U);
  EXPECT_EQ(spec->namespaces.back().path, "/run/netns/pod");
}

TEST(SandboxSpec, leaves_everything_else_to_the_oci_runtime) {
  EXPECT_EQ(reason_against("{}"), "none");
  EXPECT_EQ(reason_against(R"({"hooks": {"prestart": [{"path": "/x"}]}})"), "spec.hooks");
  EXPECT_EQ(reason_against(R"({"process": {"args": ["/bin/sh"]}})"), "process.args");
  EXPECT_EQ(reason_against(R"({"process": {"selinuxLabel": "s0"}})"), "process.selinuxLabel");
  EXPECT_EQ(reason_against(R"({"process": {"apparmorProfile": "p"}})"), "process.apparmorProfile");
  EXPECT_EQ(reason_against(R"({"process": {"rlimits": [{}]}})"), "process.rlimits");
  EXPECT_EQ(reason_against(R"({"linux": {"uidMappings": [{}]}})"), "linux.uidMappings");
  EXPECT_EQ(reason_against(R"({"linux": {"resources": {"memory": {"limit": 5}}}})"),
            "linux.resources.memory");
  EXPECT_EQ(reason_against(R"({"linux": {"resources": {"devices": [{"allow": true}]}}})"),
            "linux.resources.devices");
  EXPECT_EQ(reason_against(R"({"linux": {"cgroupsPath": "a.slice:cri:b"}})"), "linux.cgroupsPath");
  EXPECT_EQ(reason_against(R"({"linux": {"cgroupsPath": "/kubepods/../../x"}})"), "linux.cgroupsPath");
  EXPECT_EQ(reason_against(R"({"process": {"user": {"uid": 4294967296}}})"),
            "process.user: a number over 32 bits");
  EXPECT_EQ(reason_against(R"({"process": {"user": {"gid": -1}}})"), "process.user: a number over 32 bits");
  EXPECT_EQ(reason_against(R"({"linux": {"namespaces": [{"type": "user"}]}})"), "linux.namespaces: user");
  EXPECT_EQ(reason_against(R"({"annotations": {"io.kubernetes.cri.container-type": "container"}})"),
            "no sandbox");
}

TEST(SandboxSpec, never_takes_what_would_be_set_for_the_node) {
  const char* const only_mount = R"("namespaces": [{"type": "mount"}])";
  EXPECT_EQ(reason_against(fmt::format(R"({{"linux": {{{}}}}})", only_mount).c_str()),
            "linux.sysctl: kernel.sem");
  EXPECT_EQ(reason_against(fmt::format(R"({{"linux": {{"sysctl": null, {}}}}})", only_mount).c_str()),
            "hostname");
  EXPECT_EQ(reason_against(R"({"linux": {"sysctl": {"vm.swappiness": "7"}}})"),
            "linux.sysctl: vm.swappiness");
  EXPECT_EQ(reason_against(R"({"linux": {"sysctl": {"net/ipv4/conf/eth0.1/forwarding": "1"}}})"),
            "linux.sysctl: net/ipv4/conf/eth0.1/forwarding");
  EXPECT_EQ(reason_against(R"({"hostname": null, "linux": {"sysctl": null, "namespaces": []}})"),
            "linux.namespaces: no mount namespace");
}

}  // namespace flox::oci
