#include "base/net/server/http_transport.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>

#include "base/net/server/thread_buffer.h"

namespace flox {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using tcp = asio::ip::tcp;

ErrorCode last_error() { return {errno, boost::system::system_category()}; }
bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

// What all connections of a thread read into.
auto read_buffer() { return thread_buffer<struct PlainReads, 64 * 1024>(); }

// Waits for the socket and then reads into a buffer that all connections of the thread share: ten thousand
// idle connections need no buffer at all.
class Plain : public HttpTransport {
 public:
  explicit Plain(tcp::socket socket) : HttpTransport(std::move(socket)) {
    ErrorCode ignored;
    socket_.native_non_blocking(true, ignored);
  }

  void handshake(Done done) override {
    asio::post(socket_.get_executor(), [done = std::move(done)] { done({}); });
  }

  void receive(size_t most, Received received) override {
    socket_.async_wait(
        tcp::socket::wait_read, [this, most, received = std::move(received)](ErrorCode error) mutable {
          if (error) return received(error, {});
          const auto shared = read_buffer();
          const ssize_t count =
              ::recv(socket_.native_handle(), shared.data(), std::min(most, shared.size()), MSG_DONTWAIT);
          if (count > 0) return received({}, {shared.data(), static_cast<size_t>(count)});
          if (count == 0) return received(asio::error::eof, {});
          if (would_block()) return receive(most, std::move(received));
          received(last_error(), {});
        });
  }

  void send(std::string_view first, std::string_view second, Sent sent) override {
    when_writable(
        first.size() + second.size(),
        [first, second](int fd) {
          std::array<iovec, 2> pieces{{{const_cast<char*>(first.data()), first.size()},
                                       {const_cast<char*>(second.data()), second.size()}}};
          msghdr message{};
          message.msg_iov = pieces.data();
          message.msg_iovlen = second.empty() ? 1 : 2;
          return ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        },
        std::move(sent));
  }

  // By sendfile(2).
  void send_file(int file, uint64_t offset, size_t most, Sent sent) override {
    when_writable(
        most,
        [file, offset, most](int fd) {
          auto position = static_cast<off_t>(offset);
          return ::sendfile(fd, file, &position, most);
        },
        std::move(sent));
  }

 private:
  // The kernel's own buffer takes most answers at once. What was taken only in part has filled it: the next
  // write waits until the kernel says that a good part is free again, or each would move what the peer has
  // just read, a packet at a time.
  void when_writable(size_t most, std::function<ssize_t(int)> write, Sent sent) {
    if (!is_full_) {
      const ssize_t count = write(socket_.native_handle());
      is_full_ = count < 0 ? would_block() : static_cast<size_t>(count) < most;
      if (count >= 0 || !is_full_) {
        const ErrorCode error = count >= 0 ? ErrorCode() : last_error();
        asio::post(socket_.get_executor(), [sent = std::move(sent), error, count] {
          sent(error, count > 0 ? static_cast<size_t>(count) : 0);
        });
        return;
      }
    }
    socket_.async_wait(tcp::socket::wait_write, [this, most, write = std::move(write),
                                                 sent = std::move(sent)](ErrorCode error) mutable {
      if (error) return sent(error, 0);
      is_full_ = false;
      when_writable(most, std::move(write), std::move(sent));
    });
  }

  bool is_full_ = false;
};

}  // namespace

// sendfile(2) gives the kernel 64 KiB at a time, which is a little more than a packet of the loopback
// interface holds: without this rests are packets of their own, which fill the window of the receiver and are
// acknowledged (NARs of 1 MB: 37 packets each in both directions instead of 22, and 0.7 of the rate). A TLS
// record fills a quarter of one.
void HttpTransport::fill_packets(bool on) {
  ErrorCode ignored;
  socket_.set_option(asio::detail::socket_option::boolean<IPPROTO_TCP, TCP_CORK>(on), ignored);
}

void HttpTransport::drain(Done done) {
  ErrorCode ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  const auto shared = read_buffer();
  socket_.async_read_some(asio::buffer(shared.data(), shared.size()),
                          [this, done = std::move(done)](ErrorCode error, size_t) mutable {
                            if (error) return done(error);
                            drain(std::move(done));
                          });
}

bool HttpTransport::has_input() {
  ErrorCode ignored;
  return socket_.available(ignored) > 0;
}

bool HttpTransport::has_output() {
  int bytes = 0;
  return ::ioctl(socket_.native_handle(), SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

void HttpTransport::close() {
  ErrorCode ignored;
  socket_.close(ignored);
}

std::unique_ptr<HttpTransport> make_plain_transport(tcp::socket socket) {
  return std::make_unique<Plain>(std::move(socket));
}

}  // namespace flox
