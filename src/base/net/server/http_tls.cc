#include "base/net/server/http_tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <cerrno>
#include <functional>
#include <new>
#include <optional>
#include <string>

#include "base/data/secret.h"
#include "base/error.h"
#include "base/net/server/thread_buffer.h"

namespace flox {
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using ErrorCode = boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr size_t record = 16 * 1024;    // bytes: the most that a TLS record has
constexpr size_t at_once = 256 * 1024;  // bytes encrypted before other connections have their turn
constexpr size_t read_at_once = 64 * 1024;

// What all connections of a thread read into, from the network or a file: an idle connection needs no buffer,
// and OpenSSL frees its own of one.
auto read_buffer() { return thread_buffer<struct TlsReads, read_at_once>(); }

// OpenSSL's own way to a socket raises SIGPIPE.
int write_to_socket(BIO* bio, const char* data, int size) {
  int fd = -1;
  BIO_get_fd(bio, &fd);
  BIO_clear_retry_flags(bio);
  const auto count =
      static_cast<int>(::send(fd, data, static_cast<size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT));
  if (count < 0 && BIO_sock_should_retry(count)) BIO_set_retry_write(bio);
  return count;
}

const BIO_METHOD* socket_method() {
  static const BIO_METHOD* const method = [] {
    const BIO_METHOD* of_openssl = BIO_s_socket();
    BIO_METHOD* ours = BIO_meth_new(BIO_TYPE_SOCKET, "socket");
    if (ours == nullptr) throw std::bad_alloc();
    BIO_meth_set_write(ours, write_to_socket);
    BIO_meth_set_read(ours, BIO_meth_get_read(of_openssl));
    BIO_meth_set_ctrl(ours, BIO_meth_get_ctrl(of_openssl));
    BIO_meth_set_create(ours, BIO_meth_get_create(of_openssl));
    BIO_meth_set_destroy(ours, BIO_meth_get_destroy(of_openssl));
    return ours;
  }();
  return method;
}

// OpenSSL reads and writes the socket itself: through Asio's stream each record was copied twice more, and
// took a turn of the event loop.
class Tls : public HttpTransport {
 public:
  Tls(tcp::socket socket, std::shared_ptr<ssl::context> context)
      : HttpTransport(std::move(socket)),
        context_(std::move(context)),
        ssl_(SSL_new(context_->native_handle())) {
    BIO* bio = ssl_ ? BIO_new(socket_method()) : nullptr;
    if (bio == nullptr) throw std::bad_alloc();
    BIO_set_fd(bio, socket_.native_handle(), BIO_NOCLOSE);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_accept_state(ssl_.get());
    ErrorCode ignored;
    socket_.native_non_blocking(true, ignored);
  }

  void handshake(Done done) override {
    wait(tcp::socket::wait_read, [this, done = std::move(done)](ErrorCode error) mutable {
      if (error) return done(error);
      go_on_shaking_hands(std::move(done));
    });
  }
  void receive(size_t most, Received received) override {
    auto read = [this, most, received = std::move(received)](ErrorCode error) mutable {
      if (error) return received(error, {});
      const auto shared = read_buffer();
      const Attempt made = attempt([&] {
        return SSL_read(ssl_.get(), shared.data(), static_cast<int>(std::min(most, shared.size())));
      });
      if (made.count > 0) return received({}, {shared.data(), made.count});
      if (!made.waits_for) return received(made.error, {});
      read_after(*made.waits_for, most, std::move(received));
    };
    if (SSL_pending(ssl_.get()) == 0) return wait(tcp::socket::wait_read, std::move(read));
    asio::post(socket_.get_executor(), [read = std::move(read)]() mutable { read({}); });
  }
  // In one record, if they fit.
  void send(std::string_view first, std::string_view second, Sent sent) override {
    if (!second.empty() && first.size() < record) {
      out_.assign(first).append(second.substr(0, record - first.size()));
      first = out_;
    }
    when_writable([this, first] { return write(first.substr(0, at_once)); }, std::move(sent));
  }
  void send_file(int file, uint64_t offset, size_t most, Sent sent) override {
    when_writable([this, file, offset, most] { return write_file(file, offset, std::min(most, at_once)); },
                  std::move(sent));
  }
  // close_notify first. The rest is discarded undecrypted.
  void finish(Done done) override {
    const Attempt made = attempt([&] { return SSL_shutdown(ssl_.get()); });
    if (made.waits_for != tcp::socket::wait_write) return drain(std::move(done));
    wait(tcp::socket::wait_write, [this, done = std::move(done)](ErrorCode error) mutable {
      if (error) return done(error);
      finish(std::move(done));
    });
  }

 private:
  // What has come of an operation of OpenSSL's: some bytes, or for what it waits, or an error.
  struct Attempt {
    size_t count = 0;
    std::optional<tcp::socket::wait_type> waits_for = std::nullopt;
    ErrorCode error = {};
  };
  template <typename Operation>
  Attempt attempt(Operation&& operation) {
    if (!socket_.is_open()) return {.error = asio::error::operation_aborted};  // its number may be another's
    ERR_clear_error();
    errno = 0;
    const int result = operation();
    if (result > 0) return {.count = static_cast<size_t>(result)};
    const int system_error = errno;
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return {.waits_for = tcp::socket::wait_read};
      case SSL_ERROR_WANT_WRITE:
        return {.waits_for = tcp::socket::wait_write};
      case SSL_ERROR_SYSCALL:
        if (system_error != 0) return {.error = {system_error, boost::system::system_category()}};
        return {.error = asio::error::eof};
      case SSL_ERROR_ZERO_RETURN:
        return {.error = asio::error::eof};
      default:
        return {.error = {static_cast<int>(ERR_get_error()), asio::error::get_ssl_category()}};
    }
  }
  template <typename Then>
  void wait(tcp::socket::wait_type what, Then&& then) {
    socket_.async_wait(what, std::forward<Then>(then));
  }

  void go_on_shaking_hands(Done done) {
    const Attempt made = attempt([&] { return SSL_do_handshake(ssl_.get()); });
    if (!made.waits_for) return done(made.error);
    wait(*made.waits_for, [this, done = std::move(done)](ErrorCode error) mutable {
      if (error) return done(error);
      go_on_shaking_hands(std::move(done));
    });
  }
  void read_after(tcp::socket::wait_type what, size_t most, Received received) {
    if (what == tcp::socket::wait_read) return receive(most, std::move(received));
    wait(what, [this, most, received = std::move(received)](ErrorCode error) mutable {
      if (error) return received(error, {});
      receive(most, std::move(received));
    });
  }

  // Takes whole records. What OpenSSL keeps for a socket that is full is not counted: it counts when the
  // caller gives it again, as it must.
  Attempt write(std::string_view bytes) {
    Attempt all;
    while (all.count < bytes.size()) {
      const std::string_view piece = bytes.substr(all.count, record);
      const Attempt made =
          attempt([&] { return SSL_write(ssl_.get(), piece.data(), static_cast<int>(piece.size())); });
      if (made.count == 0) return {.count = all.count, .waits_for = made.waits_for, .error = made.error};
      all.count += made.count;
    }
    return all;
  }
  Attempt write_file(int file, uint64_t offset, size_t most) {
    const auto shared = read_buffer();
    Attempt all;
    while (all.count < most) {
      const ssize_t count = ::pread(file, shared.data(), std::min(shared.size(), most - all.count),
                                    static_cast<off_t>(offset + all.count));
      if (count < 0) return {.count = all.count, .error = {errno, boost::system::system_category()}};
      if (count == 0) return {.count = all.count, .error = asio::error::eof};  // it became shorter
      const Attempt made = write({shared.data(), static_cast<size_t>(count)});
      all.count += made.count;
      if (made.count < static_cast<size_t>(count))
        return {.count = all.count, .waits_for = made.waits_for, .error = made.error};
    }
    return all;
  }

  // `some()` writes what the kernel takes now. When that is not all, its buffer is full: the next waits until
  // a good part of it is free again.
  void when_writable(std::function<Attempt()> some, Sent sent) {
    if (!full_) {
      const Attempt made = some();
      full_ = made.waits_for;
      if (made.count > 0 || !full_) {
        asio::post(socket_.get_executor(), [this, sent = std::move(sent), made] {
          if (!full_) std::string().swap(out_);
          sent(made.count > 0 ? ErrorCode() : made.error, made.count);
        });
        return;
      }
    }
    wait(*full_, [this, some = std::move(some), sent = std::move(sent)](ErrorCode error) mutable {
      if (error) return sent(error, 0);
      full_.reset();
      when_writable(std::move(some), std::move(sent));
    });
  }

  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  std::shared_ptr<ssl::context> context_;
  std::unique_ptr<SSL, Free> ssl_;
  std::optional<tcp::socket::wait_type> full_;  // for what the next write waits first
  std::string out_;
};

}  // namespace

HttpTls::HttpTls(std::filesystem::path certificate, std::filesystem::path key)
    : certificate_(std::move(certificate)), key_(std::move(key)), loaded_(version()), context_(load()) {}
HttpTls::~HttpTls() = default;

std::shared_ptr<ssl::context> HttpTls::load() const {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX* native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native,
                      SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(
      native, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Of TLS 1.2 only what has forward secrecy and authenticates its ciphertext; all of TLS 1.3 does.
  if (SSL_CTX_set_cipher_list(native, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
    fail(ErrorKind::internal, "OpenSSL has none of the ciphers that are wanted");
  ErrorCode error;
  context->use_certificate_chain_file(certificate_.string(), error);
  if (error)
    throw Error(ErrorKind::invalid_input,
                fmt::format("the TLS certificate {}: {}", certificate_.string(), error.message()),
                "It must be a PEM file: the server's certificate, then those that lead to the authority.");
  const Secret pem(in_context("the TLS key", [&] { return read_secret_file(key_).reveal() + "\n"; }));
  context->use_private_key(asio::buffer(pem.reveal()), ssl::context::pem, error);
  if (error || SSL_CTX_check_private_key(native) != 1)
    throw Error(ErrorKind::invalid_input,
                error ? fmt::format("the TLS key {}: {}", key_.string(), error.message())
                      : fmt::format("the TLS key {} is not that of {}", key_.string(), certificate_.string()),
                "It must be the certificate's own key, as a PEM file without a passphrase.");
  return context;
}

// Which files they are: a replaced one is another file, as Kubernetes and careful people replace files, or
// has another time.
std::string HttpTls::version() const {
  std::string text;
  for (const auto& file : {certificate_, key_}) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) return {};
    text += fmt::format("{}:{}:{}:{}.{} ", status.st_dev, status.st_ino, status.st_size,
                        status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  }
  return text;
}

bool HttpTls::reload_if_replaced() {
  if (version() == loaded_) return false;
  reload();
  return true;
}

void HttpTls::reload() {
  loaded_ = version();
  auto fresh = load();
  const std::lock_guard lock(mutex_);
  context_ = std::move(fresh);
}

std::unique_ptr<HttpTransport> HttpTls::make(tcp::socket socket) {
  const std::lock_guard lock(mutex_);
  return std::make_unique<Tls>(std::move(socket), context_);
}

}  // namespace flox
