#include "server/api/conditional.h"

#include <algorithm>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "server/identity/page_cookie.h"

namespace flox::server {
namespace {

constexpr size_t tag_bytes = 16;  // of a SHA-256
constexpr std::string_view weak = "W/";

void skip_space(std::string_view& text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
}

// RFC 9110, section 8.8.3: [ W/ ] " etagc* ".
std::string_view take_tag(std::string_view& text) {
  const size_t begin = text.starts_with(weak) ? weak.size() : 0;
  if (text.size() <= begin || text[begin] != '"') return {};
  const size_t end = text.find('"', begin + 1);
  if (end == std::string_view::npos) return {};
  const std::string_view tag = text.substr(0, end + 1);
  text.remove_prefix(end + 1);
  return tag;
}

// What of a tag is compared.
std::string_view opaque_of(std::string_view tag) {
  return tag.starts_with(weak) ? tag.substr(weak.size()) : tag;
}
std::string_view state_of(std::string_view tag) {
  const size_t quotes = tag.ends_with('"') ? 1 : 0;
  return tag.substr(0, std::min(tag.find('.'), tag.size() - quotes));
}

std::string digest_of(std::string_view content) {
  const Sha256Digest digest = sha256(content);
  return to_hex(bytes_of(digest).substr(0, tag_bytes));
}

bool has_tag(std::string_view list, std::string_view tag, bool weakly) {
  skip_space(list);
  if (list == "*") return true;
  if (!weakly && tag.starts_with(weak)) return false;
  bool found = false;
  while (!list.empty()) {
    const std::string_view one = take_tag(list);
    if (one.empty()) return false;
    found = found || (weakly ? opaque_of(one) == opaque_of(tag) : state_of(one) == state_of(tag));
    skip_space(list);
    if (!list.empty() && list.front() != ',') return false;
    while (list.starts_with(',')) {
      list.remove_prefix(1);
      skip_space(list);
    }
  }
  return found;
}

// A token's answers are its own; others' are everybody's.
const char* audience(const ServerRequest& request) { return is_personal(request) ? "private" : "public"; }

}  // namespace

std::string entity_tag(std::string_view content) { return '"' + digest_of(content) + '"'; }

std::string entity_tag(std::string_view state, std::string_view content) {
  return '"' + digest_of(state) + '.' + digest_of(content) + '"';
}

bool has_tag_weakly(std::string_view list, std::string_view tag) { return has_tag(list, tag, true); }
bool has_state_strongly(std::string_view list, std::string_view tag) { return has_tag(list, tag, false); }

std::string immutable_for(const ServerRequest& request) {
  return std::string(audience(request)) + ", max-age=31536000, immutable";
}

void describe_keeping(const ServerRequest& request, ServerResponse& response) {
  const auto keeping =
      response.headers.try_emplace("Cache-Control", std::string(audience(request)) + ", no-cache").first;
  // Somebody else may see more.
  response.headers.try_emplace("Vary", takes_cookie(request) ? "Authorization, Cookie" : "Authorization");
  // Hashing the body costs more than all the rest: only if nobody knows better.
  if (keeping->second != "no-store" && response.status == 200 && !response.stream && !response.body_file &&
      !response.shared_file && !response.headers.contains("ETag"))
    response.headers.emplace("ETag", entity_tag(response.text()));
}

ServerResponse unless_known(const ServerRequest& request, ServerResponse response) {
  const auto known = request.headers.find("if-none-match");
  const auto tag = response.headers.find("ETag");
  if (response.status != 200 || known == request.headers.end() || tag == response.headers.end() ||
      !has_tag_weakly(known->second, tag->second))
    return response;
  ServerResponse unchanged{.status = 304};
  for (const char* field : {"Cache-Control", "ETag", "Vary", "Link"})
    if (const auto found = response.headers.find(field); found != response.headers.end())
      unchanged.headers.insert(*found);
  return unchanged;
}

}  // namespace flox::server
