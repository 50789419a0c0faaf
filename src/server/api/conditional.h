// Answers that need not be sent again: entity tags, If-None-Match and If-Match (RFC 9110, section 13), and
// for how long an answer may be kept (RFC 9111).
#pragma once  // Fuzzed by fuzz/entity_tags.cc.

#include <string>
#include <string_view>

#include "base/net/server/http_server.h"

namespace flox::server {

// Of a content: a quoted digest. A strong tag.
std::string entity_tag(std::string_view content);
// Of a content that says more than what a change is based on: "STATE.CONTENT", two digests. The first stays
// the same while `state` does.
std::string entity_tag(std::string_view state, std::string_view content);

// Whether a list of If-None-Match has the tag, by the weak comparison. "*" has any. A list that cannot be
// read has none.
bool has_tag_weakly(std::string_view list, std::string_view tag);
// Whether a list of If-Match has a tag of the same state, by the strong comparison, which a weak tag never
// satisfies: of a tag with two parts the first one is compared, of another all of it.
bool has_state_strongly(std::string_view list, std::string_view tag);

// What is said of an answer to GET or HEAD unless its function says it: `no-cache` (keep it, and ask whether
// it is still so) and, of what is in memory, an entity tag. With a token the answer is that token's own.
void describe_keeping(const ServerRequest& request, ServerResponse& response);
// The answer, or 304 without content if the request says that the client has it.
ServerResponse unless_known(const ServerRequest& request, ServerResponse response);

// Cache-Control of what never changes under its address: a NAR, a version of root.json.
std::string immutable_for(const ServerRequest& request);

}  // namespace flox::server
