#include "server/identity/audit.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/foreign_error.h"
#include "base/log.h"
#include "server/records/clock.h"

namespace flox::server {
namespace {

constexpr unsigned most_of_strangers = 10;  // lines a second
constexpr size_t longest_quoted = 1000;     // bytes of a request that stand in a line

}  // namespace

Audit::Audit(const std::filesystem::path& file, uint64_t max_bytes, unsigned older) {
  if (!file.empty()) file_.emplace(file, max_bytes, older);
}

bool Audit::may_write_of_stranger() {
  const std::scoped_lock lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    in_second_ = 0;
  }
  if (in_second_++ < most_of_strangers) return true;
  ++omitted_;
  return false;
}

void Audit::write(const ServerRequest& request, const Entry& entry) {
  if (!file_ || (entry.who.empty() && !may_write_of_stranger())) return;
  using nlohmann::json;
  json line = {{"time", now_rfc3339()},
               {"who", entry.who},
               {"token", entry.token},
               {"action", entry.action},
               {"what", request.path.substr(0, longest_quoted)},
               {"from", request.peer},
               {"result", entry.reason.empty() ? "done" : "refused"},
               {"status", entry.status}};
  // What a proxy says, or whoever pretends to be one.
  if (const auto claimed = request.headers.find("x-forwarded-for"); claimed != request.headers.end())
    line["forwarded_for"] = claimed->second.substr(0, longest_quoted);
  if (!entry.reason.empty()) line["reason"] = entry.reason;
  if (!entry.detail.empty()) line["detail"] = entry.detail.substr(0, longest_quoted);
  {
    const std::scoped_lock lock(mutex_);
    if (omitted_ > 0) line["omitted"] = std::exchange(omitted_, 0);
  }
  try {
    file_->add(line.dump(-1, ' ', false, json::error_handler_t::replace));
  } catch (const std::exception& error) {
    if (failures_++ == 0) log::error("the audit log has a gap: {}", message_of(error));
  }
}

}  // namespace flox::server
