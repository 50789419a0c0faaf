// How the bytes of one connection of HttpServer travel: plainly here, through TLS in http_tls.h.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string_view>

namespace flox {

// Used by one thread, with one operation of each kind at a time. Callbacks run on the socket's executor,
// never before the call returns. They hold what they need alive, the transport too.
class HttpTransport {
 public:
  using ErrorCode = boost::system::error_code;
  using Done = std::function<void(ErrorCode)>;
  // The bytes are valid during the call only: what waits for bytes needs no buffer.
  using Received = std::function<void(ErrorCode, std::string_view)>;
  using Sent = std::function<void(ErrorCode, size_t)>;

  explicit HttpTransport(boost::asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}
  virtual ~HttpTransport() = default;

  virtual void handshake(Done done) = 0;
  // At most `most` bytes, at least one; the end of the stream is an error.
  virtual void receive(size_t most, Received received) = 0;
  // Sends some of the bytes of `first`, which is not empty, and what follows it, which must stay where they
  // are until `sent`.
  virtual void send(std::string_view first, std::string_view second, Sent sent) = 0;
  // While it is on, what does not fill a packet waits for what follows it; off: it goes out.
  void fill_packets(bool on);
  // Sends some of the file from `offset` on.
  virtual void send_file(int fd, uint64_t offset, size_t most, Sent sent) = 0;
  // Says that nothing follows, and discards what the peer still sends until it ends too: closing with bytes
  // unread resets the connection, and the peer would lose the answer.
  virtual void finish(Done done) { drain(std::move(done)); }
  // Whether the peer has sent what was not received yet.
  bool has_input();
  // Whether the kernel still has bytes that the peer has not got: they are lost if the network namespace
  // goes, as a pod's does with its process.
  bool has_output();
  // Ends it at once; operations in progress fail.
  void close();

 protected:
  void drain(Done done);
  boost::asio::ip::tcp::socket socket_;
};

class HttpTransportMaker {
 public:
  virtual ~HttpTransportMaker() = default;
  virtual std::unique_ptr<HttpTransport> make(boost::asio::ip::tcp::socket socket) = 0;
};

// HTTP over TCP.
std::unique_ptr<HttpTransport> make_plain_transport(boost::asio::ip::tcp::socket socket);

}  // namespace flox
