#include "shim/service/guarded.h"

#include "base/foreign_error.h"
#include "shim/io/shim_log.h"
#include "ttrpc/status.h"

namespace flox::shim {
namespace {

// Errors that are not statuses yet.
template <typename Error>
[[noreturn]] void rethrow_for_containerd(const Error& error) {
  using ttrpc::Code;
  ttrpc::Status status = ttrpc::status_of(error);
  if (status.code == Code::internal || status.code == Code::permission_denied) status.code = Code::unknown;
  throw ttrpc::StatusError(status.code, status.message);
}

}  // namespace

ttrpc::Handler guarded(IdleMemory* idle_memory, const char* name, ttrpc::Handler handler) {
  return [idle_memory, name,
          handler = std::move(handler)](ttrpc::Request request) -> asio::awaitable<std::string> {
    if (idle_memory != nullptr) idle_memory->note_activity();
    try {
      std::string answer = co_await handler(std::move(request));
      co_return answer;
    } catch (const ttrpc::StatusError& error) {
      log_debug("{}: {}", name, error.what());
      throw;
    } catch (const std::exception& error) {
      log_debug("{}: {}", name, message_of(error));
      rethrow_for_containerd(error);
    }
  };
}

Milliseconds limit_of(const ttrpc::Call& call) {
  return call.timeout.count() > 0 ? std::chrono::ceil<Milliseconds>(call.timeout) : Milliseconds::max();
}

}  // namespace flox::shim
