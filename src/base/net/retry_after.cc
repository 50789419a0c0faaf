#include "base/net/retry_after.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <string>
#include <thread>

#include "base/net/curl_library.h"

namespace flox {
namespace {

bool is_worth_waiting(const HttpRequest& request, const HttpResponse& response, int waits) {
  if (response.is_foreign) return false;
  if (response.status == 429) return true;
  return response.status == 503 && waits == 0 && (request.method == "GET" || request.method == "HEAD");
}

}  // namespace

std::chrono::seconds retry_after(const HttpResponse& response) {
  constexpr long most = 3600;
  const auto header = response.headers.find("retry-after");
  if (header == response.headers.end()) return {};
  const std::string& text = header->second;
  long seconds = 0;
  if (auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), seconds);
      bad != std::errc() || end != text.data() + text.size()) {
    const time_t when = curl().getdate(text.c_str(), nullptr);
    seconds = when < 0 ? 0 : static_cast<long>(when - std::time(nullptr));
  }
  return std::chrono::seconds(std::clamp(seconds, 0L, most));
}

HttpResponse send_patiently(HttpClient& http, const HttpRequest& request, std::chrono::seconds most) {
  std::chrono::seconds waited{0};
  for (int waits = 0;; ++waits) {
    HttpResponse response = http.send(request);
    const std::chrono::seconds wait = retry_after(response);
    if (!is_worth_waiting(request, response, waits) || wait.count() == 0 || waited + wait > most)
      return response;
    std::this_thread::sleep_for(wait);
    waited += wait;
  }
}

}  // namespace flox
