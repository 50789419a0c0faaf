// The head of a request to one of our servers: parsed by Beast, then checked and taken apart by us. Then the
// range that it asks for.
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <optional>

#include "base/net/server/http_message.h"
#include "base/net/server/http_range.h"
#include "fuzz.h"

namespace flox::fuzz::of_http_head {
namespace {

namespace http = boost::beast::http;

bool has_control(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  return false;
}

void check_range(const ServerRequest& request) {
  constexpr uint64_t size = 1000;
  ServerResponse response;
  const auto range = choose_range(request, size, "etag", response);
  if (!range) return require(response.status == 416, "what is beyond the end is refused");
  require(range->first <= size && range->size <= size - range->first, "a range lies within the body");
  require(response.status == 200 || response.status == 206, "an answer is whole or a part");
  require(response.status == 206 || range->size == size, "a whole answer has all of it");
}

}  // namespace

void one(std::string_view input) {
  decode_url_part(input, true);
  http::request_parser<http::empty_body> parser;
  parser.header_limit(64 << 10);
  boost::beast::error_code error;
  parser.put(boost::asio::buffer(input.data(), input.size()), error);
  if (error || !parser.is_header_done()) return;
  std::optional<ServerRequest> request;
  if (!accepts([&] { request = request_of(parser.get().base(), HttpServerOptions{}); })) return;
  require(request->path.starts_with('/') && !has_control(request->path),
          "a path is one, without control characters");
  for (const auto& [name, value] : request->query)
    require(!has_control(name) && !has_control(value), "parameters have no control characters");
  require(!request->headers.contains("content-length") || !request->headers.contains("transfer-encoding"),
          "a body ends in one place");
  check_range(*request);
}

}  // namespace flox::fuzz::of_http_head
