// When a server that is too busy wants to be asked again.
#pragma once

#include <chrono>

#include "base/net/http_client.h"

namespace flox {

// What the answer's Retry-After names (RFC 9110, section 10.2.3: seconds or a date), an hour at most; zero if
// there is none that can be understood.
std::chrono::seconds retry_after(const HttpResponse& response);

// Sends, and sends again when the server asks for patience: after 429 any request, for it was not carried
// out; after 503 what only reads, once. Waits for as long as Retry-After says, `most` in all, in the calling
// thread; what would take longer is answered as it is. Throws what HttpClient::send does.
HttpResponse send_patiently(HttpClient& http, const HttpRequest& request,
                            std::chrono::seconds most = std::chrono::seconds(30));

}  // namespace flox
