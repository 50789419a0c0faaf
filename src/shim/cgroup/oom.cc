#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <sstream>

#include "base/error.h"
#include "base/os/file.h"
#include "shim/cgroup/cgroup.h"

namespace flox::shim {
namespace {

// "oom_kill N" of a text of memory.events; nothing known counts as none.
uint64_t kills_in(const std::string& text) {
  std::istringstream lines(text);
  std::string name;
  uint64_t value = 0;
  while (lines >> name >> value)
    if (name == "oom_kill") return value;
  return 0;
}

}  // namespace

struct OomWatch::State {
  State(const Executor& executor, std::function<void()> callback)
      : source(executor), on_oom(std::move(callback)) {}

  void arm_v1(const fs::path& memory) {
    Fd control = open_file(memory / "memory.oom_control", O_RDONLY);
    Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event) fail_errno(errno, "making an eventfd");
    Fd registration = open_file(memory / "cgroup.event_control", O_WRONLY);
    write_all(registration.get(), fmt::format("{} {}", event.get(), control.get()));
    directory = memory;
    source.assign(event.get());
    [[maybe_unused]] int owned = event.release();
  }

  void arm_v2(const fs::path& unified) {
    Fd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!watch) fail_errno(errno, "making an inotify descriptor");
    events = unified / "memory.events";
    kills = kills_in(read_file(events));
    if (::inotify_add_watch(watch.get(), events.c_str(), IN_MODIFY) < 0)
      fail_errno(errno, "watching {}", events.string());
    directory = unified;
    source.assign(watch.get());
    [[maybe_unused]] int owned = watch.release();
  }

  static asio::awaitable<void> follow(std::shared_ptr<State> self) {
    std::array<char, 4096> buffer;
    boost::system::error_code error;
    for (;;) {
      co_await self->source.async_read_some(asio::buffer(buffer),
                                            asio::redirect_error(asio::use_awaitable, error));
      if (error || !self->tell()) co_return;
    }
  }

  // False once the cgroup is gone. Removing a v1 cgroup signals the eventfd as well.
  bool tell() {
    if (!events.empty()) return tell_new_kills();
    std::error_code gone;
    if (!fs::exists(directory, gone)) return false;
    on_oom();
    return true;
  }

  bool tell_new_kills() {
    uint64_t now = 0;
    try {
      now = kills_in(read_file(events));
    } catch (const Error&) {  // removed, perhaps while we read
      return false;
    }
    if (now > std::exchange(kills, now)) on_oom();
    return true;
  }

  asio::posix::stream_descriptor source;
  std::function<void()> on_oom;
  fs::path directory;
  fs::path events;  // v2 only
  uint64_t kills = 0;
};

OomWatch::OomWatch(const Executor& executor, const Cgroup& cgroup, std::function<void()> on_oom)
    : state_(std::make_shared<State>(executor, std::move(on_oom))) {
  if (cgroup.unified())
    state_->arm_v2(cgroup.directory(""));
  else
    state_->arm_v1(cgroup.directory("memory"));
  asio::co_spawn(executor, State::follow(state_), asio::detached);
}

void OomWatch::check() {
  std::array<char, 4096> buffer;
  const bool notified = ::read(state_->source.native_handle(), buffer.data(), buffer.size()) > 0;
  // v2 counts a kill before it kills, but notifies from a work queue, at most every 10 ms: the end of the
  // process may be known first (one time in twelve in an emulated machine).
  if (notified || !state_->events.empty()) state_->tell();
}

OomWatch::~OomWatch() {
  boost::system::error_code ignored;
  state_->source.close(ignored);
}

}  // namespace flox::shim
