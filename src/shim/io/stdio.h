// Where a process's stdin, stdout and stderr come from and go to (docs/formats/shim.md): fifos of a
// containerd client, files, a logging program, nothing, or a terminal.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "shim/process/children.h"
#include "shim/process/waiting.h"

namespace flox::shim {

namespace fs = std::filesystem;

// As the Create or Exec request names them.
struct StdioPaths {
  std::string in, out, err;  // empty: /dev/null. out may be a URI: file:///path, binary:///program?key=value
  bool terminal = false;
};

// One process's streams. Bytes are copied by coroutines that end with their source or with close().
class Stdio {
 public:
  // What the streams need to know about their process.
  struct Owner {
    Executor executor;
    Children& children;
    std::string namespace_name;
    std::string container_id;
    uint32_t io_uid = 0;  // owner of the container's ends of the pipes
    uint32_t io_gid = 0;
  };
  Stdio(Owner owner, StdioPaths paths);
  ~Stdio();
  Stdio(const Stdio&) = delete;
  Stdio& operator=(const Stdio&) = delete;

  const StdioPaths& paths() const noexcept { return paths_; }

  // Opens fifos (stdout's and stderr's have a reader within 30 seconds, or it fails), starts a logging
  // program, makes the console socket. Throws Error; what was opened is closed again by the destructor.
  asio::awaitable<void> open();

  // For the OCI runtime's command: descriptors for its 0, 1 and 2 (-1: /dev/null), and its --console-socket
  // (empty: no terminal).
  int child_in() const noexcept { return child_in_.get(); }
  int child_out() const noexcept { return child_out_.get(); }
  int child_err() const noexcept { return child_err_.get(); }
  fs::path console_socket() const;

  // After the runtime's command succeeded: closes the child's ends, takes the terminal, begins copying.
  // Throws Error if the runtime sent no terminal.
  void begin();

  void close_stdin();  // CloseIO: the process reads end-of-file once the client has closed its end, too
  void resize(uint16_t width, uint16_t height);  // nothing without a terminal; throws Error
  // Waits until stdout and stderr have ended, at most so long.
  asio::awaitable<void> drain(Milliseconds limit);
  // Closes everything and ends all copying.
  void close();

 private:
  struct Console;
  struct Logger;
  using Descriptor = std::shared_ptr<asio::posix::stream_descriptor>;
  // Where bytes go: a fifo or pipe, awaited, or a file, written directly.
  struct Sink {
    Fd keeper;  // a reading end of the fifo, so that a client that detaches gives us no EPIPE
    Fd file;    // not pollable
    Descriptor pollable;
  };

  asio::awaitable<std::shared_ptr<Sink>> open_output(std::string path);
  std::shared_ptr<Sink> open_file_sink(const std::string& path);
  void open_stdin();
  Pipe make_owned_pipe() const;
  asio::awaitable<void> start_logger();
  Descriptor descriptor(Fd fd) const;
  void copy_output(Descriptor from, std::shared_ptr<Sink> to);
  void copy_input(Descriptor to);
  static asio::awaitable<void> copy(Descriptor from, std::shared_ptr<Sink> to);

  Owner owner_;
  StdioPaths paths_;
  Fd child_in_, child_out_, child_err_;
  Fd out_source_, err_source_, in_target_;  // our ends of the container's pipes, until begin()
  std::shared_ptr<Sink> out_sink_, err_sink_;
  Descriptor stdin_fifo_;
  Fd stdin_keeper_;  // a writing end of the stdin fifo, until CloseIO
  std::vector<std::weak_ptr<asio::posix::stream_descriptor>> open_;
  std::shared_ptr<int> copying_ = std::make_shared<int>(0);  // outputs still being copied
  std::shared_ptr<Event> drained_;
  std::unique_ptr<Console> console_;
  std::unique_ptr<Logger> logger_;
};

}  // namespace flox::shim
