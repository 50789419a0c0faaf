#include "shim/io/stdio.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>

#include "base/error.h"
#include "shim/io/console.h"
#include "shim/io/logger_uri.h"

namespace flox::shim {
namespace {

using boost::system::error_code;
constexpr Milliseconds reader_limit{30'000};
constexpr Milliseconds logger_limit{2'000};  // for a logging program to write what it has read

bool is_fifo(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISFIFO(info.st_mode);
}

// Files can be written at once and are not known to epoll.
bool write_at_once(int fd, const char* data, size_t size) {
  while (size > 0) {
    ssize_t written = ::write(fd, data, size);
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) data += written, size -= static_cast<size_t>(written);
  }
  return true;
}

}  // namespace

struct Stdio::Console {
  ConsoleSocket socket;
  Descriptor master;
};

// A logging program of a binary:// URI. It should end when the pipes end, and is told to when they are
// closed.
struct Stdio::Logger {
  Executor executor;
  pid_t pid = -1;
  std::shared_ptr<Exit> exit;

  ~Logger() {
    if (exit && !exit->happened.is_set()) asio::co_spawn(executor, stop(pid, exit), asio::detached);
  }
  static asio::awaitable<void> stop(pid_t pid, std::shared_ptr<Exit> exit) {
    ::kill(pid, SIGTERM);
    const bool ended = co_await exit->happened.wait_for(Milliseconds(12'000));
    if (!ended) ::kill(pid, SIGKILL);
  }
};

Stdio::Stdio(Owner owner, StdioPaths paths)
    : owner_(std::move(owner)),
      paths_(std::move(paths)),
      drained_(std::make_shared<Event>(owner_.executor)) {}

Stdio::~Stdio() { close(); }

Stdio::Descriptor Stdio::descriptor(Fd fd) const {
  auto result = std::make_shared<asio::posix::stream_descriptor>(owner_.executor, fd.get());
  [[maybe_unused]] int owned = fd.release();  // only now: assigning can throw
  result->non_blocking(true);
  return result;
}

fs::path Stdio::console_socket() const { return console_ ? console_->socket.path() : fs::path(); }

Pipe Stdio::make_owned_pipe() const {
  Pipe pipe = make_pipe();
  if (owner_.io_uid != 0 || owner_.io_gid != 0)
    for (int fd : {pipe.read_end.get(), pipe.write_end.get()})
      if (::fchown(fd, owner_.io_uid, owner_.io_gid) != 0)
        fail_errno(errno, "giving a pipe to the container's user");
  return pipe;
}

asio::awaitable<void> Stdio::open() {
  if (paths_.terminal) console_ = std::make_unique<Console>();
  const std::string scheme = uri_scheme(paths_.out);
  if (scheme == "binary") {
    if (paths_.terminal) fail(ErrorKind::invalid_input, "a terminal cannot be given to a logging program");
    co_await start_logger();
  } else if (scheme == "file") {
    out_sink_ = open_file_sink(uri_path(paths_.out));
    if (!paths_.terminal) err_sink_ = out_sink_;
  } else if (scheme.empty() || scheme == "fifo") {
    if (!paths_.out.empty()) out_sink_ = co_await open_output(uri_path(paths_.out));
    // No conditional expression here: g++ 12 destroys the results of a co_await within one twice.
    if (!paths_.terminal && !paths_.err.empty()) {
      if (paths_.err == paths_.out)
        err_sink_ = out_sink_;
      else
        err_sink_ = co_await open_output(uri_path(paths_.err));
    }
  } else {
    fail(ErrorKind::invalid_input, "unknown stdout scheme {}: it is fifo, file or binary", scheme);
  }
  if (!paths_.in.empty()) open_stdin();
  if (paths_.terminal) co_return;

  auto take = [this](const std::shared_ptr<Sink>& sink, Fd& child_end, Fd& our_end) {
    if (!sink) return;
    Pipe pipe = make_owned_pipe();
    child_end = std::move(pipe.write_end);
    our_end = std::move(pipe.read_end);
  };
  take(out_sink_, child_out_, out_source_);
  take(err_sink_, child_err_, err_source_);
  if (stdin_fifo_) {
    Pipe pipe = make_owned_pipe();
    child_in_ = std::move(pipe.read_end);
    in_target_ = std::move(pipe.write_end);
  }
}

// A fifo is opened for writing once it has a reader. Asking every few milliseconds takes no thread, and the
// reader is there at the first try but for a client that is late.
asio::awaitable<std::shared_ptr<Stdio::Sink>> Stdio::open_output(std::string path) {
  auto sink = std::make_shared<Sink>();
  if (!is_fifo(path)) {
    sink->file = open_file(path, O_WRONLY | O_APPEND);
    co_return sink;
  }
  const auto deadline = std::chrono::steady_clock::now() + reader_limit;
  Fd writer;
  for (;;) {
    writer.reset(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    if (writer) break;
    if (errno != ENXIO && errno != EINTR) fail_errno(errno, "opening {}", path);
    if (std::chrono::steady_clock::now() > deadline)
      fail(ErrorKind::unavailable, "opening {}: it has no reader", path);
    co_await pause_for(Milliseconds(3));
  }
  sink->keeper = open_file(path, O_RDONLY | O_NONBLOCK);
  sink->pollable = descriptor(std::move(writer));
  co_return sink;
}

std::shared_ptr<Stdio::Sink> Stdio::open_file_sink(const std::string& path) {
  auto sink = std::make_shared<Sink>();
  std::error_code ignored;  // open says what is wrong
  fs::create_directories(fs::path(path).parent_path(), ignored);
  sink->file = open_file(path, O_WRONLY | O_APPEND | O_CREAT, 0644);
  return sink;
}

void Stdio::open_stdin() {
  Fd reader = open_file(paths_.in, O_RDONLY | O_NONBLOCK);
  if (is_fifo(paths_.in)) stdin_keeper_ = open_file(paths_.in, O_WRONLY | O_NONBLOCK);
  stdin_fifo_ = descriptor(std::move(reader));
}

asio::awaitable<void> Stdio::start_logger() {
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  Pipe ready = make_pipe();
  LoggerUri uri = LoggerUri::parse(paths_.out);
  Spawn spawn;
  spawn.argv = uri.argv;
  spawn.env = {"CONTAINER_ID=" + owner_.container_id, "CONTAINER_NAMESPACE=" + owner_.namespace_name};
  spawn.further = {out.read_end.get(), err.read_end.get(), ready.write_end.get()};
  spawn.die_with_us = false;  // it still has to write what is in the pipes
  logger_ = std::make_unique<Logger>();
  logger_->executor = owner_.executor;
  logger_->pid = owner_.children.spawn(spawn, logger_->exit);
  ready.write_end.reset();
  out.read_end.reset();
  err.read_end.reset();
  auto ready_end = descriptor(std::move(ready.read_end));
  error_code ended;  // a byte or the end: both mean that it is ready
  co_await ready_end->async_wait(asio::posix::stream_descriptor::wait_read,
                                 asio::redirect_error(asio::use_awaitable, ended));
  child_out_ = std::move(out.write_end);
  child_err_ = std::move(err.write_end);
}

void Stdio::begin() {
  child_in_.reset();
  child_out_.reset();
  child_err_.reset();
  if (console_) {
    console_->master = descriptor(console_->socket.receive());
    open_.push_back(console_->master);
    if (out_sink_) copy_output(console_->master, out_sink_);
    if (stdin_fifo_) copy_input(console_->master);
  } else {
    if (out_sink_) copy_output(descriptor(std::move(out_source_)), out_sink_);
    if (err_sink_) copy_output(descriptor(std::move(err_source_)), err_sink_);
    if (stdin_fifo_) copy_input(descriptor(std::move(in_target_)));
  }
  out_sink_.reset();  // from now on the copying owns them
  err_sink_.reset();
  if (*copying_ == 0) drained_->set();
}

void Stdio::copy_output(Descriptor from, std::shared_ptr<Sink> to) {
  open_.push_back(from);
  if (to->pollable) open_.push_back(to->pollable);
  ++*copying_;
  auto done = [copying = copying_, drained = drained_](const std::exception_ptr&) {
    if (--*copying == 0) drained->set();
  };
  asio::co_spawn(owner_.executor, copy(std::move(from), std::move(to)), done);
}

void Stdio::copy_input(Descriptor to) {
  open_.push_back(to);
  open_.push_back(stdin_fifo_);
  auto sink = std::make_shared<Sink>();
  sink->pollable = std::move(to);
  asio::co_spawn(owner_.executor, copy(std::move(stdin_fifo_), std::move(sink)), asio::detached);
}

// Until the source ends, or the sink, or close().
asio::awaitable<void> Stdio::copy(Descriptor from, std::shared_ptr<Sink> to) {
  // One for all: nothing is suspended between filling and using it, except with what is left copied to
  // `rest`.
  static std::array<char, 65536> buffer;
  using asio::posix::stream_descriptor;
  error_code error;
  while (!error && from->is_open()) {
    ssize_t got = ::read(from->native_handle(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      co_await from->async_wait(stream_descriptor::wait_read,
                                asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    if (got <= 0) break;  // end of file; EIO: the terminal was hung up
    auto size = static_cast<size_t>(got);
    if (to->file) {
      if (!write_at_once(to->file.get(), buffer.data(), size)) break;
      continue;
    }
    ssize_t first = ::write(to->pollable->native_handle(), buffer.data(), size);
    if (first == got) continue;
    if (first < 0 && errno != EAGAIN && errno != EINTR) break;
    std::string rest(buffer.data() + std::max<ssize_t>(first, 0),
                     size - static_cast<size_t>(std::max<ssize_t>(first, 0)));
    for (size_t sent = 0; sent < rest.size() && !error;) {
      co_await to->pollable->async_wait(stream_descriptor::wait_write,
                                        asio::redirect_error(asio::use_awaitable, error));
      if (error) break;
      ssize_t written = ::write(to->pollable->native_handle(), rest.data() + sent, rest.size() - sent);
      if (written > 0)
        sent += static_cast<size_t>(written);
      else if (errno != EAGAIN && errno != EINTR)
        error = asio::error::broken_pipe;
    }
  }
}

void Stdio::close_stdin() { stdin_keeper_.reset(); }

void Stdio::resize(uint16_t width, uint16_t height) {
  if (!console_ || !console_->master || !console_->master->is_open()) return;
  winsize size{height, width, 0, 0};
  if (::ioctl(console_->master->native_handle(), TIOCSWINSZ, &size) != 0)
    fail_errno(errno, "resizing the terminal");
}

asio::awaitable<void> Stdio::drain(Milliseconds limit) {
  std::shared_ptr<Event> drained = drained_;
  co_await drained->wait_for(limit);
  if (!logger_) co_return;
  std::shared_ptr<Exit> logger = logger_->exit;
  co_await logger->happened.wait_for(std::min(limit, logger_limit));
}

void Stdio::close() {
  error_code ignored;
  for (auto& entry : open_)
    if (auto descriptor = entry.lock()) descriptor->close(ignored);
  open_.clear();
  for (Fd* fd :
       {&child_in_, &child_out_, &child_err_, &out_source_, &err_source_, &in_target_, &stdin_keeper_})
    fd->reset();
  out_sink_.reset();
  err_sink_.reset();
  stdin_fifo_.reset();
  console_.reset();
  logger_.reset();
}

}  // namespace flox::shim
