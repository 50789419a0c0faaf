#include "base/net/http_client.h"

#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>

#include "base/error.h"
#include "base/log.h"
#include "base/net/curl_setup.h"
#include "base/net/http_redirect.h"
#include "base/printable.h"

namespace flox {

struct HttpClient::State {
  CURL* handle = curl().easy_init();
  std::function<bool()> cancelled;
  ~State() { curl().easy_cleanup(handle); }
};

namespace {

// What the callbacks of one exchange share.
struct Exchange {
  CURL* handle;
  uint64_t max_body;
  HeadReader head;
  ErrorBody error_body;
  HttpResponse response;
  uint64_t received = 0;
  bool too_large = false;
  const ByteSink* sink = nullptr;
  std::exception_ptr sink_error;
};

size_t on_header(char* data, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  return exchange.head.add(exchange.response, {data, size * count}) ? size * count : 0;
}

size_t on_body(char* data, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  std::string_view piece(data, size * count);
  long status = 0;
  curl().easy_getinfo(exchange.handle, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || status >= 300) {
    return exchange.error_body.add(piece) ? piece.size() : CURL_WRITEFUNC_ERROR;
  }
  exchange.received += piece.size();
  exchange.too_large = exchange.received > exchange.max_body;
  if (exchange.too_large) return CURL_WRITEFUNC_ERROR;
  if (exchange.sink == nullptr) {
    exchange.response.body.append(piece);
    return piece.size();
  }
  try {
    if (!piece.empty()) (*exchange.sink)(piece);
    return piece.size();
  } catch (...) {
    exchange.sink_error = std::current_exception();
    return CURL_WRITEFUNC_ERROR;
  }
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& cancelled = *static_cast<std::function<bool()>*>(user);
  return cancelled && cancelled() ? 1 : 0;
}

}  // namespace

HttpClient::HttpClient() {
  state_ = std::make_unique<State>();
  if (state_->handle == nullptr) fail(ErrorKind::internal, "starting libcurl");
}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

void HttpClient::set_cancel_check(std::function<bool()> cancelled) {
  state_->cancelled = std::move(cancelled);
}

HttpResponse HttpClient::send(const HttpRequest& request) { return stream(request, nullptr); }

HttpResponse HttpClient::stream(const HttpRequest& request, const ByteSink& sink) {
  Redirects way = in_context(printable_url(request.url), [&] { return Redirects(request); });
  for (;;) {
    const auto began = std::chrono::steady_clock::now();
    const std::string asked = fmt::format("{} {}", way.request().method, printable_url(way.request().url));
    HttpResponse response = exchange(way, sink);
    log::debug("{}: {} after {} ms", asked, response.status,
               std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began)
                   .count());
    if (!way.follow(state_->handle, response.status)) return response;
  }
}

HttpResponse HttpClient::exchange(Redirects& way, const ByteSink& sink) {
  CURL* handle = state_->handle;
  const HttpRequest& request = way.request();
  curl().easy_reset(handle);  // options go, connections stay
  Exchange exchange{.handle = handle, .max_body = request.max_body.bytes};
  if (sink) exchange.sink = &sink;
  char reason[CURL_ERROR_SIZE] = "";

  const CurlHeaders headers = set_up(handle, request);
  way.guard(handle);
  curl().easy_setopt(handle, CURLOPT_ERRORBUFFER, reason);
  curl().easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl().easy_setopt(handle, CURLOPT_HEADERDATA, &exchange);
  curl().easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl().easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
  if (state_->cancelled) {
    curl().easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl().easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl().easy_setopt(handle, CURLOPT_XFERINFODATA, &state_->cancelled);
  }

  std::unique_ptr<FILE, int (*)(FILE*)> file(nullptr, &std::fclose);
  if (request.upload_file) {
    file.reset(std::fopen(request.upload_file->c_str(), "rbe"));
    if (!file) fail_errno(errno, "opening {} to upload it", *request.upload_file);
    std::fseek(file.get(), 0, SEEK_END);
    curl().easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(std::ftell(file.get())));
    std::rewind(file.get());
    curl().easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl().easy_setopt(handle, CURLOPT_READDATA, file.get());
  }

  const CURLcode code = curl().easy_perform(handle);
  if (exchange.sink_error) std::rethrow_exception(exchange.sink_error);
  const std::string url = printable_url(request.url);
  if (exchange.head.is_too_large())
    fail(ErrorKind::invalid_input, "{} {}: its headers are too many or too large", request.method, url);
  if (exchange.too_large)
    fail(ErrorKind::invalid_input, "{} {}: it is larger than {} bytes", request.method, url,
         request.max_body.bytes);
  if (code != CURLE_OK && way.refusal()) throw Error(*way.refusal());
  if (code != CURLE_OK && !exchange.error_body.is_cut())
    fail(ErrorKind::unavailable, "{} {}: {}", request.method, url,
         printable(reason[0] != '\0' ? reason : curl().easy_strerror(code)));
  long status = 0;
  curl().easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  exchange.response.status = static_cast<int>(status);
  if (!exchange.error_body.empty()) exchange.response.body = exchange.error_body.take();
  exchange.response.is_foreign = way.is_foreign();
  return std::move(exchange.response);
}

std::string url_encode(std::string_view text, bool keep_slash) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string result;
  for (unsigned char c : text) {
    if ((c < 128 && std::isalnum(c)) || c == '-' || c == '.' || c == '_' || c == '~' ||
        (c == '/' && keep_slash)) {
      result += static_cast<char>(c);
    } else {
      result += '%';
      result += digits[c >> 4];
      result += digits[c & 15];
    }
  }
  return result;
}

std::string url_decode(std::string_view text, bool plus_is_space) {
  auto value = [](char c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; };
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && std::isxdigit(static_cast<unsigned char>(text[i + 1])) &&
        std::isxdigit(static_cast<unsigned char>(text[i + 2]))) {
      result += static_cast<char>(value(text[i + 1]) << 4 | value(text[i + 2]));
      i += 2;
    } else {
      result += text[i] == '+' && plus_is_space ? ' ' : text[i];
    }
  }
  return result;
}

}  // namespace flox
