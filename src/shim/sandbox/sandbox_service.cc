#include "shim/sandbox/sandbox_service.h"

#include "shim/protocol/sandbox_v1.ttrpc.h"
#include "shim/protocol/time.h"
#include "shim/service/guarded.h"
#include "ttrpc/status.h"

namespace flox::shim {

using ttrpc::Code;
using ttrpc::fail_status;

namespace {

// As Go calls it.
#if defined(__x86_64__)
constexpr const char* architecture = "amd64";
#elif defined(__aarch64__)
constexpr const char* architecture = "arm64";
#endif

}  // namespace

template <typename RequestMessage, typename ResponseMessage, typename Body>
void SandboxService::method(ttrpc::Server& server, const ttrpc::Method<RequestMessage, ResponseMessage>& rpc,
                            Body body, bool is_activity) {
  server.handle(
      rpc.service, rpc.name,
      guarded(is_activity ? &idle_memory_ : nullptr, rpc.name, ttrpc::to_handler(rpc, std::move(body))));
}

void SandboxService::serve(ttrpc::Server& server) {
  using Service = containerd::runtime::sandbox::v1::Sandbox;
  using ttrpc::Call;
  using Nothing = asio::awaitable<wire::Empty>;
  method(server, Service::CreateSandbox, [this](wire::CreateSandboxRequest request, Call) -> Nothing {
    sandbox_.create(request);
    co_return wire::Empty();
  });
  method(server, Service::StartSandbox,
         [this](wire::SandboxRequest request, Call) -> asio::awaitable<wire::StartSandboxResponse> {
           const pid_t pid = co_await sandbox_.start(request.sandbox_id());
           wire::StartSandboxResponse response;
           response.set_pid(static_cast<uint32_t>(pid));
           *response.mutable_created_at() = sandbox_.status(request.sandbox_id(), false).created_at();
           co_return response;
         });
  method(server, Service::Platform,
         [this](wire::SandboxRequest request, Call) -> asio::awaitable<wire::PlatformResponse> {
           sandbox_.check(request.sandbox_id());
           wire::PlatformResponse response;
           response.mutable_platform()->set_os("linux");
           response.mutable_platform()->set_architecture(architecture);
           co_return response;
         });
  method(server, Service::StopSandbox, [this](wire::StopSandboxRequest request, Call) -> Nothing {
    co_await sandbox_.stop(request.sandbox_id());
    co_return wire::Empty();
  });
  method(server, Service::WaitSandbox,
         [this](wire::SandboxRequest request, Call call) -> asio::awaitable<wire::WaitResponse> {
           auto end = co_await sandbox_.wait(request.sandbox_id(), limit_of(call));
           if (!end) fail_status(Code::deadline_exceeded, "sandbox {} still runs", request.sandbox_id());
           co_return std::move(*end);
         });
  method(server, Service::SandboxStatus,
         [this](wire::SandboxStatusRequest request, Call) -> asio::awaitable<wire::SandboxStatusResponse> {
           co_return sandbox_.status(request.sandbox_id(), request.verbose());
         });
  method(server, Service::PingSandbox, [this](wire::SandboxRequest request, Call) -> Nothing {
    sandbox_.check(request.sandbox_id());
    co_return wire::Empty();
  });
  method(server, Service::ShutdownSandbox, [this](wire::SandboxRequest, Call) -> Nothing {
    co_await sandbox_.remove();
    removed_();
    co_return wire::Empty();
  });
  method(
      server, Service::SandboxMetrics,
      [this](wire::SandboxRequest request, Call) -> asio::awaitable<wire::SandboxMetricsResponse> {
        wire::SandboxMetricsResponse response;
        *response.mutable_metrics() = sandbox_.metrics(request.sandbox_id());
        co_return response;
      },
      false);
}

}  // namespace flox::shim
