#include "activation/keeper/starts.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"

namespace flox::activation {
namespace {

constexpr size_t max_starts = 64;
constexpr size_t max_attachments = 512;  // of one start; each has a descriptor

bool has_ended(const Attachment& attachment) {
  pollfd entry{attachment.watch.get(), POLLIN, 0};
  return ::poll(&entry, 1, 0) > 0;
}

Answer refusal(std::string error) {
  Answer answer;
  answer.error = std::move(error);
  return answer;
}

Answer changes_of(const Start& start) {
  Answer answer;
  answer.changes = start.changes;
  return answer;
}

Answer run_the_hook() {
  Answer answer;
  answer.run_hook = true;
  return answer;
}

}  // namespace

Start* Starts::find(const StartKey& key) {
  const auto found = std::ranges::find(starts_, key, &Start::key);
  return found == starts_.end() ? nullptr : &*found;
}

void Starts::use(Start& start, const Request& request) const {
  if (request.linger) start.linger = Clock::now() + linger_limit;
  if (request.pid <= 0 ||
      std::ranges::find(start.attachments, request.pid, &Attachment::pid) != start.attachments.end())
    return;
  if (start.attachments.size() >= max_attachments)
    fail(ErrorKind::unavailable, "more than {} processes are in this environment", max_attachments);
  Fd watch(static_cast<int>(::syscall(SYS_pidfd_open, request.pid, 0)));
  if (watch)
    start.attachments.push_back({.pid = request.pid, .watch = std::move(watch)});  // else it has ended
}

void Starts::begin(ConnectionId connection, const Request& request) {
  Start* start = find(request.key);
  if (start == nullptr) {
    if (starts_.size() >= max_starts)
      return reply_(connection,
                    refusal(fmt::format("more than {} builds of this environment are in use", max_starts)));
    start = &starts_.emplace_back();
    start->key = request.key;
    start->starter = connection;
    use(*start, request);
    return reply_(connection, run_the_hook());
  }
  if (!start->ready) {
    start->waiting.push_back({.connection = connection, .request = request});
    return;
  }
  use(*start, request);
  reply_(connection, changes_of(*start));
}

void Starts::ready(ConnectionId connection, const Request& request) {
  Start* start = find(request.key);
  if (start == nullptr || start->ready || start->starter != connection)
    return reply_(connection, refusal("no hook was to be run by this process"));
  start->ready = true;
  start->changes = request.changes;
  start->environment = request.environment;
  start->cwd = request.cwd;
  reply_(connection, {});
  for (const auto& [waiting, asked] : std::exchange(start->waiting, {})) {
    use(*start, asked);
    reply_(waiting, changes_of(*start));
  }
}

void Starts::attach(ConnectionId connection, const Request& request) {
  Start* start = find(request.key);
  if (start == nullptr) return reply_(connection, refusal("this build of the environment is not in use"));
  use(*start, request);
  start->linger.reset();
  reply_(connection, {});
}

void Starts::detach(ConnectionId connection, const Request& request) {
  if (Start* start = find(request.key))
    std::erase_if(start->attachments, [&](const Attachment& one) { return one.pid == request.pid; });
  reply_(connection, {});
}

void Starts::disconnected(ConnectionId connection) {
  for (Start& start : starts_) {
    std::erase_if(start.waiting, [&](const Start::Waiting& one) { return one.connection == connection; });
    if (start.ready || start.starter != connection) continue;
    // The hook has failed, or whoever ran it was killed.
    start.attachments.clear();
    start.linger.reset();
    start.starter = 0;
    if (start.waiting.empty()) continue;
    const Start::Waiting next = std::move(start.waiting.front());
    start.waiting.erase(start.waiting.begin());
    start.starter = next.connection;
    use(start, next.request);
    reply_(next.connection, run_the_hook());
  }
}

bool Starts::is_used(const Start& start) const {
  if (!start.ready) return start.starter != 0;
  return !start.attachments.empty() || (start.linger && *start.linger > Clock::now());
}

std::vector<Start> Starts::take_unused() {
  std::vector<Start> unused;
  for (auto start = starts_.begin(); start != starts_.end();) {
    std::erase_if(start->attachments, has_ended);
    if (is_used(*start)) {
      ++start;
      continue;
    }
    unused.push_back(std::move(*start));
    start = starts_.erase(start);
  }
  return unused;
}

std::vector<Start> Starts::take_all() {
  std::vector<Start> all;
  for (Start& start : starts_) all.push_back(std::move(start));
  starts_.clear();
  return all;
}

std::optional<Clock::time_point> Starts::next_deadline() const {
  std::optional<Clock::time_point> next;
  for (const Start& start : starts_)
    if (start.linger && (!next || *start.linger < *next)) next = start.linger;
  return next;
}

}  // namespace flox::activation
