// What every exchange over libcurl is set up with. Internal to the HTTP client and pool.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/curl_library.h"
#include "base/http_client.h"

namespace flox {

using CurlHeaders = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

// Sets URL, method, body, headers, time-outs, redirects, netrc and certificates on a fresh or reset handle;
// curl itself reads the proxies from the environment (https_proxy, no_proxy, …). The request and what is
// returned must outlive the exchange.
CurlHeaders set_up(CURL* handle, const HttpRequest& request);

// Adds one header line to a response; a new status line starts it afresh.
void add_header(HttpResponse& response, std::string_view line);

}  // namespace flox
