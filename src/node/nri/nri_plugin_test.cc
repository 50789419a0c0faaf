#include "node/nri/nri_plugin.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/os/file.h"
#include "node/nri/multiplexer.h"
#include "node/nri/nri.ttrpc.h"
#include "ttrpc/envelope.h"
#include "ttrpc/frame.h"
#include "ttrpc/socket.h"

namespace flox::node {
namespace {

namespace asio = boost::asio;
namespace nri_api = ::nri::pkg::api::v1alpha1;
using std::chrono::milliseconds;

// containerd's end of the plugin's socket. Blocks.
class FakeContainerd {
 public:
  explicit FakeContainerd(const std::string& socket) : listener_(ttrpc::listen_at(socket)) {}

  // Takes the plugin's connection and answers its registration.
  void accept() {
    wait_for(listener_.get());
    trunk_ = Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!trunk_) fail_errno(errno, "accepting the plugin");
    while (streams_[runtime_connection].empty()) read();
    write_all(trunk_.get(),
              to_mux_frames(runtime_connection, ttrpc::encode_frame(1, ttrpc::type_response, "")));
  }

  // What the plugin answers for this attempt to create the container `name` of the pod; empty: it agrees.
  std::string create(const std::string& pod, const std::string& name, const std::string& container_id,
                     const std::string& tenant = "tenant") {
    nri_api::CreateContainerRequest request;
    request.mutable_pod()->set_id(pod);
    request.mutable_pod()->set_name(pod);
    request.mutable_pod()->set_namespace_(tenant);
    (*request.mutable_pod()->mutable_annotations())["flox.dev/environment"] = "hello";
    request.mutable_container()->set_id(container_id);
    request.mutable_container()->set_name(name);
    request.mutable_container()->set_pod_sandbox_id(pod);
    const auto& method = nri_api::Plugin::CreateContainer;
    stream_ += 2;
    write_all(trunk_.get(),
              to_mux_frames(plugin_connection,
                            ttrpc::encode_request(stream_, method.service, method.name,
                                                  request.SerializeAsString(), milliseconds(200))));
    try {
      ttrpc::decode_response(answer());
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }

 private:
  static void wait_for(int fd) {
    pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&wanted, 1, 10'000) != 1) fail(ErrorKind::unavailable, "the plugin is silent");
  }

  void read() {
    wait_for(trunk_.get());
    char buffer[4096];
    const size_t size = read_some(trunk_.get(), buffer, sizeof buffer);
    if (size == 0) fail(ErrorKind::unavailable, "the plugin has gone");
    for (const MuxPart& part : demultiplexer_.split({buffer, size})) streams_[part.connection] += part.bytes;
  }

  std::string answer() {
    std::string& bytes = streams_[plugin_connection];
    while (bytes.size() < ttrpc::header_size) read();
    const size_t length = ttrpc::decode_header(bytes.data()).length;
    while (bytes.size() < ttrpc::header_size + length) read();
    std::string payload = bytes.substr(ttrpc::header_size, length);
    bytes.erase(0, ttrpc::header_size + length);
    return payload;
  }

  Fd listener_;
  Fd trunk_;
  Demultiplexer demultiplexer_;
  std::map<uint32_t, std::string> streams_;
  uint32_t stream_ = 1;
};

class NriPluginTest : public testing::Test {
 protected:
  NriPluginTest()
      : containerd_(socket_.string()),
        plugin_(loop_.get_executor(), {.socket = socket_, .other_handlers = {}}, host()),
        thread_([this] { loop_.run(); }) {
    containerd_.accept();
  }
  ~NriPluginTest() override {
    loop_.stop();
    thread_.join();
  }

  NriHost host() {
    return {.tenant_of = [](const std::string& pod_namespace, const std::string&) { return pod_namespace; },
            .run =
                [this](const std::string&, std::function<void()> work) {
                  const std::scoped_lock lock(mutex_);
                  works_.push_back(std::move(work));
                },
            .prepare = [](const v1::PrepareRequest&, const std::function<bool()>&) -> v1::PrepareResponse {
              fail(ErrorKind::not_found, "the catalog has no such package");
            },
            .release = [](const std::string&) {},
            .synchronise = [](const std::vector<NriContainer>&) {},
            .connected = [](bool) {},
            .counted = [this](NriOutcome outcome) { waiting_ += outcome == NriOutcome::waiting ? 1 : 0; }};
  }
  size_t works() {
    const std::scoped_lock lock(mutex_);
    return works_.size();
  }
  void finish_works() {
    std::vector<std::function<void()>> works;
    {
      const std::scoped_lock lock(mutex_);
      works.swap(works_);
    }
    for (const auto& work : works) work();
  }

  TempDir directory_;
  const std::filesystem::path socket_ = directory_.path() / "nri.sock";
  std::mutex mutex_;
  std::vector<std::function<void()>> works_;  // what a thread of floxd's would do
  std::atomic<int> waiting_ = 0;
  asio::io_context loop_{1};
  FakeContainerd containerd_;
  NriPlugin plugin_;
  std::thread thread_;
};

constexpr const char* not_yet = "not all on this node yet";

TEST_F(NriPluginTest, OfManyAttemptsToMakeOneContainerOneWorks) {
  for (int attempt = 1; attempt <= 5; ++attempt)
    EXPECT_NE(containerd_.create("pod", "web", "id" + std::to_string(attempt)).find(not_yet),
              std::string::npos);
  EXPECT_EQ(works(), 1U);
  EXPECT_EQ(waiting_, 5);
}

TEST_F(NriPluginTest, OtherContainersAndOtherPodsWorkBesideIt) {
  containerd_.create("pod", "web", "id1");
  containerd_.create("pod", "log", "id2");
  containerd_.create("second", "web", "id3");
  EXPECT_EQ(works(), 3U);
}

TEST_F(NriPluginTest, ManyContainersThatAreNotReadyUseUpTheirOwnTenantsBudgetAlone) {
  constexpr size_t containers = 30;
  for (size_t i = 0; i < containers; ++i)
    EXPECT_NE(containerd_.create("pod", std::to_string(i), std::to_string(i)).find(not_yet),
              std::string::npos);
  EXPECT_EQ(waiting_, static_cast<int>(containers));
  const size_t waited_for = works();
  EXPECT_LT(waited_for, containers * 2 / 3);  // the others cost containerd no time
  containerd_.create("another", "web", "id", "other");
  EXPECT_EQ(works(), waited_for + 1);
}

TEST_F(NriPluginTest, WhenTheWorkHasEndedTheNextAttemptWorksAgain) {
  containerd_.create("pod", "web", "id1");
  finish_works();
  // The end is told on the plugin's own thread: attempts until it has seen it work anew.
  for (int attempt = 2; works() == 0 && attempt < 100; ++attempt)
    containerd_.create("pod", "web", "id" + std::to_string(attempt));
  EXPECT_EQ(works(), 1U);
}

}  // namespace
}  // namespace flox::node
