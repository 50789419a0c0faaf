// The Sandbox service through a ttrpc server, as containerd calls it.
#include "shim/sandbox/sandbox_service.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <future>
#include <thread>

#include "base/error.h"
#include "base/os/file.h"
#include "oci/mount.h"
#include "shim/protocol/sandbox_v1.ttrpc.h"
#include "shim/testing/any.h"
#include "testing/error_of.h"
#include "ttrpc/blocking_client.h"
#include "ttrpc/socket.h"

namespace flox::shim {
namespace {

using Service = containerd::runtime::sandbox::v1::Sandbox;
using testing::HasSubstr;

class SandboxServiceTest : public testing::Test {
 protected:
  SandboxServiceTest()
      : children_(context_.get_executor()),
        idle_memory_(context_.get_executor()),
        sandbox_(context_.get_executor(), children_),
        service_(sandbox_, idle_memory_, [this] { ++removed_; }),
        server_(context_.get_executor(), ttrpc::listen_at(directory_.path() / "s"), {}) {
    service_.serve(server_);
    loop_ = std::thread([this] {
      const auto work = asio::make_work_guard(context_);
      context_.run();
    });
  }
  ~SandboxServiceTest() override {
    call(Service::ShutdownSandbox);
    context_.stop();
    loop_.join();
    oci::unmount_all(bundle());
  }
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }

  std::filesystem::path bundle() const { return directory_.path(); }

  template <typename Request, typename Response>
  Response call(const ttrpc::Method<Request, Response>& method, const std::string& id = "pod") {
    Request request;
    request.set_sandbox_id(id);
    return ask(method, request);
  }
  template <typename Request, typename Response>
  Response ask(const ttrpc::Method<Request, Response>& method, const Request& request) {
    return ttrpc::BlockingClient(directory_.path() / "s").call(method, request);
  }

  // The mode of the pid namespace, and the pod's cgroup.
  void create(wire::NamespaceMode pid = wire::CONTAINER, const std::string& cgroup = "") {
    wire::PodSandboxConfig config;
    config.set_hostname("web");
    config.mutable_linux()->set_cgroup_parent(cgroup);
    config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_pid(pid);
    wire::CreateSandboxRequest request;
    request.set_sandbox_id("pod");
    request.set_bundle_path(bundle());
    *request.mutable_options() = any_of("runtime.v1.PodSandboxConfig", config.SerializeAsString());
    ask(Service::CreateSandbox, request);
  }
  pid_t start() { return static_cast<pid_t>(call(Service::StartSandbox).pid()); }
  wire::SandboxStatusResponse status() {
    wire::SandboxStatusRequest request;
    request.set_sandbox_id("pod");
    request.set_verbose(true);
    return ask(Service::SandboxStatus, request);
  }

  TempDir directory_;
  asio::io_context context_{1};
  Children children_;
  IdleMemory idle_memory_;
  Sandbox sandbox_;
  std::atomic<int> removed_ = 0;
  SandboxService service_;
  ttrpc::Server server_;
  std::thread loop_;
};

TEST_F(SandboxServiceTest, ASandboxIsCreatedStartedStoppedAndShutDown) {
  create();
  EXPECT_EQ(status().state(), "SANDBOX_NOTREADY");
  const pid_t pid = start();
  EXPECT_TRUE(fs::exists(fmt::format("/proc/self/task/{}", pid)))
      << "a thread of the shim holds the namespaces";
  EXPECT_EQ(status().state(), "SANDBOX_READY");
  EXPECT_EQ(status().pid(), static_cast<uint32_t>(pid));
  EXPECT_EQ(status().info().at("info"), fmt::format(R"({{"pid":{},"processStatus":"running"}})", pid));
  EXPECT_EQ(call(Service::Platform).platform().os(), "linux");
  call(Service::PingSandbox);
  auto end = std::async(std::launch::async, [this] { return call(Service::WaitSandbox); });
  call(Service::StopSandbox);
  EXPECT_EQ(end.get().exit_status(), 0u);
  EXPECT_FALSE(fs::exists(fmt::format("/proc/self/task/{}", pid)));
  EXPECT_EQ(status().state(), "SANDBOX_NOTREADY");
  EXPECT_EQ(status().pid(), 0u);
  call(Service::StopSandbox);  // again
  EXPECT_GT(call(Service::WaitSandbox).exited_at().seconds(), 0) << "who asks late is told, too";
  EXPECT_EQ(removed_, 0);
  call(Service::ShutdownSandbox);
  EXPECT_EQ(removed_, 1);
  EXPECT_FALSE(sandbox_.exists());
  EXPECT_THAT(error_of([&] { status(); }, ErrorKind::not_found), HasSubstr("sandbox not created: pod"));
}

TEST_F(SandboxServiceTest, OnlyItsOwnIdIsKnownAndThereIsOne) {
  EXPECT_THAT(error_of([&] { start(); }, ErrorKind::not_found), HasSubstr("sandbox not created"));
  call(Service::ShutdownSandbox);  // of none: after a create that failed
  EXPECT_EQ(removed_, 1);
  create();
  EXPECT_THAT(error_of([&] { create(); }, ErrorKind::conflict), HasSubstr("has the sandbox pod"));
  for (const auto& method : {Service::Platform.name, Service::PingSandbox.name, Service::StartSandbox.name,
                             Service::WaitSandbox.name, Service::SandboxMetrics.name}) {
    wire::SandboxRequest request;
    request.set_sandbox_id("other");
    EXPECT_THAT(error_of(
                    [&] {
                      ttrpc::BlockingClient(directory_.path() / "s")
                          .call(Service::PingSandbox.service, method, request.SerializeAsString());
                    },
                    ErrorKind::not_found),
                HasSubstr("sandbox not created: other"))
        << method;
  }
  start();
  EXPECT_THAT(error_of([&] { start(); }, ErrorKind::conflict), HasSubstr("was started before"));
}

TEST_F(SandboxServiceTest, ASharedPidNamespaceHasAFirstProcessWhoseEndIsTheSandboxs) {
  create(wire::POD);
  const pid_t pid = start();
  // Executed from memory, it is "memfd:pause" until it names itself.
  EXPECT_THAT(read_file(fmt::format("/proc/{}/comm", pid)), HasSubstr("pause"));
  EXPECT_NE(fs::read_symlink(fmt::format("/proc/{}/ns/pid", pid)), fs::read_symlink("/proc/self/ns/pid"));
  auto end = std::async(std::launch::async, [this] { return call(Service::WaitSandbox); });
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  EXPECT_EQ(end.get().exit_status(), 128u + SIGKILL);
  EXPECT_EQ(status().state(), "SANDBOX_NOTREADY");
}

TEST_F(SandboxServiceTest, StoppingItEndsTheFirstProcess) {
  create(wire::POD);
  const pid_t pid = start();
  call(Service::StopSandbox);
  EXPECT_FALSE(fs::exists(fmt::format("/proc/{}", pid)));
  EXPECT_EQ(call(Service::WaitSandbox).exit_status(), 0u);
}

TEST_F(SandboxServiceTest, ItsFiguresAreThoseOfThePodsCgroup) {
  create(wire::CONTAINER, "/");
  EXPECT_EQ(call(Service::SandboxMetrics).metrics().id(), "pod");
  EXPECT_THAT(call(Service::SandboxMetrics).metrics().data().type_url(),
              HasSubstr("io.containerd.cgroups.v"));
  call(Service::ShutdownSandbox);
  create(wire::CONTAINER, "/flox-none/at/all");
  EXPECT_THAT(error_of([&] { call(Service::SandboxMetrics); }, ErrorKind::not_found),
              HasSubstr("cgroup does not exist"));
  call(Service::ShutdownSandbox);
  create();
  EXPECT_THAT(error_of([&] { call(Service::SandboxMetrics); }, ErrorKind::not_found),
              HasSubstr("has no cgroup"));
}

TEST_F(SandboxServiceTest, OnlyContainersOfThePodGetItsFiles) {
  const auto spec_of = [](const std::string& pod, const std::string& pid_namespace) {
    return oci::RuntimeSpec::parse(fmt::format(R"({{"annotations": {{"io.kubernetes.cri.sandbox-id": "{}"}},
          "linux": {{"namespaces": [{{"type": "pid", "path": "{}"}}]}}}})",
                                               pod, pid_namespace));
  };
  auto own = spec_of("pod", "");
  EXPECT_FALSE(sandbox_.add_to(own)) << "this pod has a pause container";
  create();
  const pid_t pid = start();
  EXPECT_TRUE(sandbox_.add_to(own));
  EXPECT_EQ(own.mount_source("/etc/hostname"), bundle() / "hostname");
  auto other = spec_of("other", "");
  EXPECT_FALSE(sandbox_.add_to(other));
  EXPECT_EQ(other.mount_source("/etc/hostname"), "");
  auto sharing = spec_of("pod", fmt::format("/proc/{}/ns/pid", pid));
  EXPECT_THAT(error_of([&] { sandbox_.add_to(sharing); }), HasSubstr("pid namespace"))
      << "it would be the node's";
}

}  // namespace
}  // namespace flox::shim
