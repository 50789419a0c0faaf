// HTTPS for HttpServer: TLS 1.2 and 1.3, with a certificate that can be replaced while it serves.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "base/net/server/http_transport.h"

namespace boost::asio::ssl {
class context;
}

namespace flox {

// Thread-safe.
class HttpTls : public HttpTransportMaker {
 public:
  // PEM files: the certificate with its chain, and its key, which is read as a secret is (read_secret_file:
  // its owner's alone). Throws Error naming the file and what is wrong with it.
  HttpTls(std::filesystem::path certificate, std::filesystem::path key);
  ~HttpTls() override;
  // Reads both files again, for connections to come; those that are open keep what they have. Throws Error
  // and changes nothing if the new pair is of no use.
  void reload();
  // The same if one of the files was replaced since they were last read, successfully or not. False if not.
  bool reload_if_replaced();

  std::unique_ptr<HttpTransport> make(boost::asio::ip::tcp::socket socket) override;

 private:
  std::shared_ptr<boost::asio::ssl::context> load() const;
  std::string version() const;

  std::filesystem::path certificate_;
  std::filesystem::path key_;
  std::string loaded_;  // the version() that was read last; one thread reloads at a time
  std::mutex mutex_;
  std::shared_ptr<boost::asio::ssl::context> context_;
};

}  // namespace flox
