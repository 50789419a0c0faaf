// What every exchange over libcurl is set up with. Internal to the HTTP client and pool.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/net/curl_library.h"
#include "base/net/http_client.h"

namespace flox {

using CurlHeaders = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

// Sets URL, method, body, headers, secrets, time-outs and certificates on a fresh or reset handle; redirects
// and proxies are http_redirect.h's. The request and what is returned must outlive the exchange.
CurlHeaders set_up(CURL* handle, const HttpRequest& request);

// Takes the header lines of one exchange, within bounds.
class HeadReader {
 public:
  // Adds one line to the response; a new status line starts it afresh. False once they are too many or too
  // large.
  bool add(HttpResponse& response, std::string_view line);
  bool is_too_large() const noexcept { return bytes_ > max_bytes || lines_ > max_lines; }

 private:
  static constexpr size_t max_bytes = 64 * 1024;
  static constexpr size_t max_lines = 128;
  size_t bytes_ = 0;
  size_t lines_ = 0;
};

// The body of an answer without success, of which the first 64 KiB are kept.
class ErrorBody {
 public:
  // False once the server has sent 1 MiB: no more of it is read, and what is there is the answer.
  bool add(std::string_view piece);
  bool is_cut() const noexcept { return received_ > most_read; }
  bool empty() const noexcept { return received_ == 0; }
  std::string take() { return std::move(text_); }

 private:
  static constexpr size_t most_kept = 64 * 1024;
  static constexpr uint64_t most_read = 1 << 20;
  std::string text_;
  uint64_t received_ = 0;
};

}  // namespace flox
