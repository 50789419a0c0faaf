// HTTP's texts: a request's head checked and taken apart, an answer's head put together, problem documents.
#pragma once  // Fuzzed by fuzz/http_head.cc.

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/net/server/http_server.h"

namespace flox {

using HttpHead = boost::beast::http::header<true, boost::beast::http::fields>;

// A percent-encoded text. Nothing for a bad escape, a control character or what is no UTF-8 in the end.
std::optional<std::string> decode_url_part(std::string_view text, bool plus_is_space);

// All but the body. Throws StatusError for a head that breaks a limit, that readers may understand in several
// ways (two lengths, two hosts, …), or whose target cannot be decoded.
ServerRequest request_of(const HttpHead& head, const HttpServerOptions& options);

// RFC 9457. `detail` and `advice` are cut to 1,000 bytes each: an answer never repeats a whole request.
ServerResponse problem(int status, std::string_view title, std::string_view detail,
                       std::string_view advice = "");
// The status with which it is answered.
int status_of(const Error& error) noexcept;
// The answer to what was thrown. What went wrong inside is logged and not told.
ServerResponse problem_of(const ServerRequest& request, const std::exception& error);

// Status line and fields, with the empty line. Throws Error(internal) if a field has a line break in it.
// Written here: Beast's serializer checks no field, and adds 54 kB of code to each program that serves.
std::string head_of(const ServerResponse& response, bool keep_alive, std::optional<uint64_t> length,
                    bool chunked);

}  // namespace flox
