#include "ttrpc/peer.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "ttrpc/socket.h"

namespace flox::ttrpc {
namespace {

// The process that connected, and the socket at our end.
struct Accepted {
  explicit Accepted(const std::string& path) : listening(listen_at(path)) {}
  Fd accept() {
    pollfd entry{listening.get(), POLLIN, 0};
    ::poll(&entry, 1, -1);
    return Fd(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  Fd listening;
};

class PeerProcessTest : public testing::TestWithParam<PeerProcess::Way> {
 protected:
  TempDir directory_;
  std::string path_ = directory_.path() / "s";
};

TEST_P(PeerProcessTest, ReadsOfTheProcessThatConnected) {
  Accepted server(path_);
  const Fd client = connect_to(path_);
  const Fd accepted = server.accept();
  const PeerProcess process(accepted.get(), GetParam());
  EXPECT_EQ(process.peer().pid, ::getpid());
  EXPECT_EQ(process.read("comm"), read_file("/proc/self/comm"));
  EXPECT_THROW(process.read("comm", 1), Error);
}

TEST_P(PeerProcessTest, OneThatHasEndedIsNobodyAlthoughItsSocketLives) {
  Accepted server(path_);
  const pid_t child = ::fork();
  if (child == 0) {
    const Fd kept = connect_to(path_);
    if (::fork() == 0) {  // holds the connection on, until its other end is closed
      char byte = 0;
      [[maybe_unused]] const ssize_t got = ::recv(kept.get(), &byte, 1, 0);
    }
    ::_exit(0);
  }
  const Fd accepted = server.accept();
  ::waitpid(child, nullptr, 0);
  EXPECT_THROW(PeerProcess(accepted.get(), GetParam()), Error);
}

TEST_P(PeerProcessTest, NothingIsReadOfItOnceItHasEnded) {
  Accepted server(path_);
  Pipe end = make_pipe();
  const pid_t child = ::fork();
  if (child == 0) {
    const Fd kept = connect_to(path_);
    char byte = 0;
    [[maybe_unused]] const ssize_t got = ::read(end.read_end.get(), &byte, 1);
    ::_exit(0);
  }
  const Fd accepted = server.accept();
  const PeerProcess process(accepted.get(), GetParam());
  EXPECT_NE(process.read("cgroup"), "");
  write_all(end.write_end.get(), "x");
  ::waitpid(child, nullptr, 0);
  EXPECT_THROW(process.read("cgroup"), Error);
}

INSTANTIATE_TEST_SUITE_P(Ways, PeerProcessTest,
                         testing::Values(PeerProcess::Way::best, PeerProcess::Way::by_number));

}  // namespace
}  // namespace flox::ttrpc
