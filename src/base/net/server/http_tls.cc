#include "base/net/server/http_tls.h"

#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/ssl.hpp>
#include <string>

#include "base/data/secret.h"
#include "base/error.h"

namespace flox {
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using ErrorCode = boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr size_t most_at_once = 16 * 1024;  // bytes: a TLS record

// Its own buffer only while bytes are on their way; OpenSSL frees those of an idle connection, too.
class Tls : public HttpTransport {
 public:
  Tls(tcp::socket socket, std::shared_ptr<ssl::context> context)
      : HttpTransport(std::move(socket)), context_(std::move(context)), stream_(socket_, *context_) {}

  void handshake(Done done) override {
    stream_.async_handshake(ssl::stream_base::server,
                            [done = std::move(done)](ErrorCode error) { done(error); });
  }
  void receive(size_t most, Received received) override {
    in_.resize(std::min(most, most_at_once));
    stream_.async_read_some(asio::buffer(in_),
                            [this, received = std::move(received)](ErrorCode error, size_t count) {
                              const std::string bytes = std::exchange(in_, {});
                              received(error, std::string_view(bytes).substr(0, count));
                            });
  }
  // In one record, if they fit.
  void send(std::string_view first, std::string_view second, Sent sent) override {
    if (!second.empty() && first.size() < most_at_once) {
      out_.assign(first).append(second.substr(0, most_at_once - first.size()));
      first = out_;
    }
    stream_.async_write_some(asio::buffer(first.data(), std::min(first.size(), most_at_once)),
                             [this, sent = std::move(sent)](ErrorCode error, size_t count) {
                               std::string().swap(out_);
                               sent(error, count);
                             });
  }
  // close_notify first. The rest is discarded undecrypted.
  void finish(Done done) override {
    stream_.async_shutdown([this, done = std::move(done)](ErrorCode) mutable { drain(std::move(done)); });
  }

 private:
  std::shared_ptr<ssl::context> context_;
  ssl::stream<tcp::socket&> stream_;
  std::string in_, out_;
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
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
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
