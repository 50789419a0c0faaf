// Where a narinfo says that its NAR file is. The narinfo is untrusted until its signature is checked,
// and the URL is not signed: it may name a file of the cache, and nothing else.
#pragma once  // Fuzzed by fuzz/nar_url.cc.

#include <string>
#include <string_view>
#include <vector>

namespace flox::store {

// A relative URL ("nar/….nar.zst", also with a query) is one below `base`, the cache's URL. An absolute one
// must have the base's origin (scheme, host, port) or be below one of `others`. Throws Error(untrusted) for
// other origins, "//host", "/path", schemes, "..", "." and empty components, percent-encoded ones included,
// encoded slashes, fragments, user info, control characters, and for more than 2 KiB.
std::string resolve_nar_url(std::string_view base, std::string_view url,
                            const std::vector<std::string>& others = {});
// The same for a cache that is a directory: the path of the file below it.
std::string resolve_nar_path(std::string_view url);

}  // namespace flox::store
