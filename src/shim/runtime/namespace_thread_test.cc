#include "shim/runtime/namespace_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <thread>

#include "base/error.h"
#include "testing/error_of.h"

namespace flox::shim {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

fs::path link_of(pid_t id, const char* type) {
  return fs::read_symlink(fmt::format("/proc/{}/ns/{}", id, type));
}

std::string hostname_in(pid_t id) {
  std::array<char, 256> name{};
  std::thread([&] {
    const Fd uts = open_file(fmt::format("/proc/{}/ns/uts", id), O_RDONLY);
    ASSERT_EQ(::setns(uts.get(), CLONE_NEWUTS), 0);
    ::gethostname(name.data(), name.size() - 1);
  }).join();
  return name.data();
}

class NamespaceThreadTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
};

TEST_F(NamespaceThreadTest, HoldsWhatIsMadeAndJoinedAndTheOthersStayWhereTheyAre) {
  oci::SandboxSpec pod;
  pod.namespaces = {{"ipc", ""}, {"uts", ""}, {"network", ""}};
  pod.hostname = "web";
  pod.sysctls = {{"kernel.shmmax", "65536"}};
  const NamespaceThread first(pod);
  EXPECT_EQ(hostname_in(first.id()), "web");
  pod.namespaces = {{"network", fmt::format("/proc/{}/ns/net", first.id())}};
  pod.hostname = "";
  pod.sysctls = {};
  const NamespaceThread second(pod);
  EXPECT_EQ(link_of(second.id(), "net"), link_of(first.id(), "net"));
  EXPECT_EQ(link_of(second.id(), "ipc"), link_of(::getpid(), "ipc"));
  for (const char* type : {"net", "ipc", "uts"})
    EXPECT_NE(link_of(::getpid(), type), link_of(first.id(), type)) << type;
}

TEST_F(NamespaceThreadTest, IsGoneWithItsObject) {
  pid_t id = 0;
  {
    oci::SandboxSpec pod;
    pod.namespaces = {{"uts", ""}};
    const NamespaceThread thread(pod);
    id = thread.id();
    EXPECT_TRUE(fs::exists(fmt::format("/proc/self/task/{}", id)));
  }
  EXPECT_FALSE(fs::exists(fmt::format("/proc/self/task/{}", id)));
}

TEST_F(NamespaceThreadTest, SaysWhatCannotBeDone) {
  oci::SandboxSpec pod;
  pod.namespaces = {{"network", "/nonexistent"}};
  EXPECT_THAT(error_of([&] { NamespaceThread thread(pod); }, ErrorKind::not_found),
              HasSubstr("/nonexistent"));
  pod.namespaces = {{"network", "/proc/self/ns/ipc"}};
  EXPECT_THAT(error_of([&] { NamespaceThread thread(pod); }, ErrorKind::internal),
              HasSubstr("joining the pod's network"));
  pod.namespaces = {{"ipc", ""}};
  pod.sysctls = {{"kernel.none", "1"}};
  EXPECT_THAT(error_of([&] { NamespaceThread thread(pod); }, ErrorKind::not_found),
              HasSubstr("setting a sysctl"));
  pod.namespaces = {{"banana", ""}};
  EXPECT_THAT(error_of([&] { NamespaceThread thread(pod); }), HasSubstr("banana"));
}

}  // namespace
}  // namespace flox::shim
