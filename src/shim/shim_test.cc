// The parts of the shim that need no containerd. How it behaves under one is tested in test/shim.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fstream>
#include <future>

#include "base/error.h"
#include "base/os/file.h"
#include "shim/imageless/imageless.h"
#include "shim/io/logger_uri.h"
#include "shim/launch/bootstrap.h"
#include "shim/launch/command_line.h"
#include "shim/process/children.h"
#include "shim/runtime/options.h"
#include "shim/task/checkpoint.h"

namespace flox::shim {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Runs a coroutine to its end on a loop of its own.
template <typename T>
T run_to_end(asio::io_context& context, asio::awaitable<T> story) {
  context.restart();
  auto result = asio::co_spawn(context, std::move(story), asio::use_future);
  while (result.wait_for(std::chrono::seconds(0)) != std::future_status::ready && context.run_one() > 0) {
  }
  return result.get();
}

// --- command line

TEST(CommandLineTest, ReadsWhatContainerdWrites) {
  CommandLine line = CommandLine::parse({"-namespace", "k8s.io", "-address", "/run/c.sock", "-publish-binary",
                                         "/usr/bin/containerd", "-id", "x", "-debug", "start"});
  EXPECT_EQ(line.namespace_name, "k8s.io");
  EXPECT_EQ(line.address, "/run/c.sock");
  EXPECT_EQ(line.id, "x");
  EXPECT_TRUE(line.debug);
  EXPECT_EQ(line.action, "start");
  line = CommandLine::parse({"--namespace=n", "-id=y", "-bundle=/b=c", "delete"});
  EXPECT_EQ(line.bundle, "/b=c");
  EXPECT_EQ(line.action, "delete");
  EXPECT_TRUE(CommandLine::parse({"-info"}).info);
  EXPECT_TRUE(CommandLine::parse({"-v"}).version);
}

TEST(CommandLineTest, RefusesWhatItDoesNotKnow) {
  EXPECT_THROW(CommandLine::parse({"-id", "x", "start"}), Error);
  EXPECT_THROW(CommandLine::parse({"-namespace", "n", "start"}), Error);
  EXPECT_THROW(CommandLine::parse({"-namespace", "n", "-id", "x", "stop"}), Error);
  EXPECT_THROW(CommandLine::parse({"-namespace", "n", "-colour", "red"}), Error);
  EXPECT_THROW(CommandLine::parse({"-namespace"}), Error);
}

// --- bootstrap

TEST(BootstrapTest, NothingOnStdinMeansNoOptionsAndAPlainAnswer) {
  Bootstrap bootstrap = read_bootstrap("");
  EXPECT_FALSE(bootstrap.params);
  EXPECT_EQ(bootstrap.options.type_url(), "");
  EXPECT_EQ(bootstrap_answer(bootstrap, "unix:///s"), "unix:///s");
}

TEST(BootstrapTest, AnAnyIsTheOptionsUpToContainerd22) {
  wire::Any any;
  any.set_type_url("containerd.runc.v1.Options");
  any.set_value(wire::RuncOptions().SerializeAsString());
  Bootstrap bootstrap = read_bootstrap(any.SerializeAsString());
  EXPECT_FALSE(bootstrap.params);
  EXPECT_EQ(bootstrap.options.type_url(), "containerd.runc.v1.Options");
  EXPECT_EQ(bootstrap_answer(bootstrap, "unix:///s"), "unix:///s");
}

TEST(BootstrapTest, BootstrapParamsAreAnsweredWithABootstrapResult) {
  wire::BootstrapParams params;
  params.set_instance_id("c");
  params.set_namespace_("k8s.io");
  params.set_log_level(-4);
  params.set_containerd_version("2.3.0");
  params.set_containerd_grpc_address("/run/c.sock");
  params.set_containerd_ttrpc_address("/run/c.sock.ttrpc");
  params.set_socket_dir("/run/state/s");
  params.add_extensions()->mutable_value()->set_type_url("some.Extension");
  params.add_extensions()->mutable_value()->set_type_url("containerd.runc.v1.Options");
  Bootstrap bootstrap = read_bootstrap(params.SerializeAsString());
  EXPECT_TRUE(bootstrap.params);
  EXPECT_EQ(bootstrap.socket_dir, "/run/state/s");
  EXPECT_EQ(bootstrap.ttrpc_address, "/run/c.sock.ttrpc");
  EXPECT_EQ(bootstrap.options.type_url(), "containerd.runc.v1.Options");
  wire::BootstrapResult result;
  ASSERT_TRUE(result.ParseFromString(bootstrap_answer(bootstrap, "unix:///s")));
  EXPECT_EQ(result.version(), 2);
  EXPECT_EQ(result.address(), "unix:///s");
  EXPECT_EQ(result.protocol(), "ttrpc");
}

TEST(BootstrapTest, OptionsThatAreNoTextAreTakenInSilence) {
  wire::RuncOptions options;
  options.set_io_uid(100000);  // its bytes are not UTF-8
  wire::Any any;
  any.set_type_url("containerd.runc.v1.Options");
  any.set_value(options.SerializeAsString());
  testing::internal::CaptureStderr();
  const Bootstrap bootstrap = read_bootstrap(any.SerializeAsString());
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_FALSE(bootstrap.params);
  EXPECT_EQ(bootstrap.options.value(), any.value());
}

TEST(BootstrapTest, GarbageIsInvalid) { EXPECT_THROW(read_bootstrap("\xff\xff garbage"), Error); }

// --- options

wire::Any any_of(const char* type, const std::string& value) {
  wire::Any any;
  any.set_type_url(type);
  any.set_value(value);
  return any;
}

TEST(OptionsTest, UnderstandsAllThreeForms) {
  wire::RuncOptions runc;
  runc.set_binary_name("crun");
  runc.set_root("/run/other");
  runc.set_systemd_cgroup(true);
  RuntimeOptions options = RuntimeOptions::decode(
      any_of("type.googleapis.com/containerd.runc.v1.Options", runc.SerializeAsString()));
  EXPECT_EQ(options.binary, "crun");
  EXPECT_EQ(options.root, "/run/other");
  EXPECT_TRUE(options.systemd_cgroup);

  wire::LegacyCreateOptions legacy;
  legacy.set_io_uid(7);
  options = RuntimeOptions::decode(any_of("containerd.linux.runc.CreateOptions", legacy.SerializeAsString()));
  EXPECT_EQ(options.io_uid, 7U);
  EXPECT_EQ(options.binary, oci::default_runtime());

  wire::GenericOptions generic;
  generic.set_config_body("SystemdCgroup = true\nBinaryName = \"/opt/runc\"\n");
  options = RuntimeOptions::decode(any_of("runtimeoptions.v1.Options", generic.SerializeAsString()));
  EXPECT_TRUE(options.systemd_cgroup);
  EXPECT_EQ(options.binary, "/opt/runc");
}

TEST(OptionsTest, SaysWhereBadTomlIsBad) {
  wire::GenericOptions generic;
  generic.set_config_body("SystemdCgroup = true\nBinaryName = oops\n");
  try {
    RuntimeOptions::decode(any_of("runtimeoptions.v1.Options", generic.SerializeAsString()));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("config_body:2:"));
  }
  EXPECT_THROW(RuntimeOptions::decode(any_of("some.other.Options", "x")), Error);
}

TEST(OptionsTest, AreFoundAgainByDelete) {
  TempDir bundle;
  EXPECT_EQ(RuntimeOptions::load(bundle.path()).binary, oci::default_runtime());
  RuntimeOptions options;
  options.binary = "crun";
  options.systemd_cgroup = true;
  options.save(bundle.path());
  EXPECT_EQ(RuntimeOptions::load(bundle.path()).binary, "crun");
  EXPECT_TRUE(RuntimeOptions::load(bundle.path()).systemd_cgroup);
}

TEST(CheckpointTest, UnderstandsBothFormsOfOptions) {
  wire::CheckpointTaskRequest request;
  request.set_path("/images/1");
  oci::Runtime::Checkpoint how = checkpoint_of(request, "/bundle");
  EXPECT_TRUE(how.leave_running);
  EXPECT_EQ(how.image_path, "/images/1");
  EXPECT_EQ(how.work_path, "/bundle/work/criu-work");

  wire::CheckpointOptions options;
  options.set_exit(true);
  options.set_open_tcp(true);
  options.set_work_path("/work");
  *request.mutable_options() = any_of("containerd.runc.v1.CheckpointOptions", options.SerializeAsString());
  how = checkpoint_of(request, "/bundle");
  EXPECT_FALSE(how.leave_running);
  EXPECT_TRUE(how.tcp_established);
  EXPECT_EQ(how.work_path, "/work");

  wire::LegacyCheckpointOptions legacy;
  legacy.set_file_locks(true);
  legacy.set_work_path("/legacy");
  *request.mutable_options() = any_of("containerd.linux.runc.CheckpointOptions", legacy.SerializeAsString());
  how = checkpoint_of(request, "/bundle");
  EXPECT_TRUE(how.leave_running);
  EXPECT_TRUE(how.file_locks);
  EXPECT_EQ(how.work_path, "/legacy");

  *request.mutable_options() = any_of("some.other.Options", "x");
  EXPECT_THROW(checkpoint_of(request, "/bundle"), Error);
}

// --- where output goes

TEST(LoggerUriTest, NamesTheProgramAndItsArguments) {
  EXPECT_EQ(uri_scheme("/run/fifo"), "");
  EXPECT_EQ(uri_scheme("binary:///usr/bin/log?a=b"), "binary");
  EXPECT_EQ(uri_path("file:///var/log/a%20b"), "/var/log/a b");
  EXPECT_THAT(LoggerUri::parse("binary:///usr/bin/log?--id=a%3Db&flag").argv,
              ElementsAre("/usr/bin/log", "--id", "a=b", "flag"));
  EXPECT_THROW(LoggerUri::parse("binary://log"), Error);
  EXPECT_THROW(LoggerUri::parse("binary:///usr/bin/log%00/x"), Error);
  EXPECT_THROW(LoggerUri::parse("binary:///usr/bin/log?a=%00"), Error);
  EXPECT_THROW(LoggerUri::parse("binary:///" + std::string(100'000, 'x')), Error);
}

// --- which containers are ours

oci::RuntimeSpec spec_with(const std::string& annotations, const std::string& args = R"(["sh"])") {
  return oci::RuntimeSpec::parse(R"({"process":{"args":)" + args + R"(},"annotations":{)" + annotations +
                                 "}}");
}

TEST(ImagelessTest, AnAnnotationAStubImageOrAFloxCommandMakesAContainerOurs) {
  EXPECT_FALSE(is_imageless(spec_with("")));
  EXPECT_TRUE(is_imageless(spec_with(R"("flox.dev/environment":"o/n")")));
  EXPECT_TRUE(is_imageless(spec_with("", R"(["/usr/bin/flox","activate"])")));
  for (const char* image : {"ghcr.io/flox/flox:latest", "docker.io/flox/empty:1.0.0", "flox/empty@sha256:aa",
                            "ghcr.io/flox/flox"})
    EXPECT_TRUE(is_imageless(spec_with(fmt::format(R"("io.kubernetes.cri.image-name":"{}")", image))))
        << image;
  for (const char* image : {"docker.io/library/busybox:1", "ghcr.io/flox/floxy:1", "localhost:5000/app", ""})
    EXPECT_FALSE(is_imageless(spec_with(fmt::format(R"("io.kubernetes.cri.image-name":"{}")", image))))
        << image;
}

TEST(ImagelessTest, SandboxesAndSkippedContainersAreNotOurs) {
  EXPECT_FALSE(is_imageless(
      spec_with(R"("flox.dev/environment":"o/n","io.kubernetes.cri.container-type":"sandbox")")));
  const std::string annotations =
      R"("flox.dev/environment":"o/n","flox.dev/skip-containers":"istio, vault","io.kubernetes.cri.container-name":)";
  EXPECT_FALSE(is_imageless(spec_with(annotations + "\"vault\"")));
  EXPECT_TRUE(is_imageless(spec_with(annotations + "\"vaul\"")));
}

TEST(ImagelessTest, AnEnvironmentCanBelongToOneContainer) {
  const std::string annotations = R"("flox.dev/environment.web":"o/n","io.kubernetes.cri.container-name":)";
  EXPECT_TRUE(is_imageless(spec_with(annotations + "\"web\"")));
  EXPECT_FALSE(is_imageless(spec_with(annotations + "\"db\"")));
}

TEST(ImagelessTest, AnExecRunsInTheActivationButItsOwnWishesWin) {
  Activation activation;
  activation.before = {"PATH=/bin", "GONE=1", "POD=a", "MODE=old"};
  activation.after = {"PATH=/env/bin:/bin", "POD=a", "MODE=old", "FLOX_ENV=/env"};
  EXPECT_THAT(activation.merged({"PATH=/bin", "GONE=1", "POD=a", "MODE=new", "TERM=xterm"}),
              ElementsAre("PATH=/env/bin:/bin", "POD=a", "MODE=new", "TERM=xterm", "FLOX_ENV=/env"));
  EXPECT_THAT(activation.merged({"PATH=/mine"}), testing::Contains("PATH=/mine"));
}

// Comparing each with each, this would take minutes.
TEST(ImagelessTest, AnExecWithVeryManyVariablesIsMerged) {
  Activation activation;
  for (int i = 0; i < 100'000; ++i) activation.before.push_back(fmt::format("V{}=1", i));
  activation.after = activation.before;
  activation.after.emplace_back("FLOX_ENV=/env");
  EXPECT_EQ(activation.merged(activation.before), activation.after);
}

// --- processes

TEST(ChildrenTest, RunsCapturesAndFeedsCommands) {
  asio::io_context context;
  Children children(context.get_executor());
  Spawn spawn;
  spawn.argv = {"sh", "-c", "cat; echo oops >&2; exit 3"};
  Captured result = run_to_end(context, children.capture(spawn, "input"));
  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.out, "input");
  EXPECT_EQ(result.err, "oops\n");
  spawn.argv = {"sh", "-c", "kill -9 $$"};
  EXPECT_EQ(run_to_end(context, children.run(spawn)), 137);
}

TEST(ChildrenTest, AMissingProgramIsNamedAsGoDoes) {
  asio::io_context context;
  Children children(context.get_executor());
  Spawn spawn;
  spawn.argv = {"no-runc"};
  try {
    run_to_end(context, children.run(spawn));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "exec: \"no-runc\": executable file not found in $PATH");
  }
}

TEST(ChildrenTest, AnExitThatCameBeforeItsPidWasKnownIsFound) {
  asio::io_context context;
  Children children(context.get_executor());
  Children::ReapingRecord record(children);
  pid_t pid = fork();
  if (pid == 0) _exit(42);
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
  Spawn spawn;  // its end makes the reaper run
  spawn.argv = {"true"};
  EXPECT_EQ(run_to_end(context, children.run(spawn)), 0);
  auto exit = children.adopt(pid);
  ASSERT_TRUE(exit->happened.is_set());
  EXPECT_EQ(exit->status, 42);
}

TEST(WaitingTest, AMutexIsTakenInOrderOfArrival) {
  asio::io_context context;
  Mutex mutex(context.get_executor());
  std::string order;
  auto worker = [&](char name) -> asio::awaitable<void> {
    auto guard = co_await mutex.lock();
    order += name;
    co_await pause_for(Milliseconds(1));
    order += name;
  };
  for (char name : {'a', 'b', 'c'}) asio::co_spawn(context, worker(name), asio::detached);
  context.run();
  EXPECT_EQ(order, "aabbcc");
}

TEST(WaitingTest, AnEventThatHappensNotInTimeIsReportedSo) {
  asio::io_context context;
  Event event(context.get_executor());
  EXPECT_FALSE(run_to_end(context, event.wait_for(Milliseconds(5))));
  event.set();
  EXPECT_TRUE(run_to_end(context, event.wait_for(Milliseconds(5))));
}

TEST(WaitingTest, AWaitGroupIsWaitedForUntilNothingIsUnderWay) {
  asio::io_context context;
  WaitGroup group(context.get_executor());
  std::string order;
  run_to_end(context, group.wait());  // nothing is
  group.add();
  group.add();
  auto waiter = [&]() -> asio::awaitable<void> {
    co_await group.wait();
    order += "waited";
  };
  asio::co_spawn(context, waiter(), asio::detached);
  context.restart();
  context.poll();
  group.done();
  group.add();  // another one, before the first two have all ended
  group.done();
  context.poll();
  EXPECT_EQ(order, "");
  group.done();
  context.restart();
  context.poll();
  EXPECT_EQ(order, "waited");
}

}  // namespace
}  // namespace flox::shim
