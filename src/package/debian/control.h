// Debian's control data: stanzas of fields, relations between packages, versions (Debian policy chapters 5
// and 7).
#pragma once  // Fuzzed by fuzz/control.cc.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace flox::package {

// One stanza: field name, as written, to its value with continuation lines.
using Stanza = std::map<std::string, std::string>;

// Stanzas are separated by empty lines, as `apt-cache show` and /var/lib/dpkg/status have them. Throws
// Error(invalid_input) for a line that is neither a field nor a continuation.
std::vector<Stanza> parse_control(std::string_view text);

// "a (>= 1) | b, c:any" → {{a, b}, {c}}: one element a dependency, each the names of its alternatives.
using Relations = std::vector<std::vector<std::string>>;
Relations parse_relations(std::string_view text);

// The versions that relations ask for exactly, by package: "a (= 1), b (>= 2)" → {a: 1}. Of two for one
// package the first.
std::map<std::string, std::string> parse_exact_versions(std::string_view text);

// "1:3.11.2-1+b1" → "3.11.2-1+b1": without the epoch, '~' (which no store path may have) as '_'. The Debian
// revision stays: a security update is another version.
std::string store_version(std::string_view version);
// "1:3.11.2-1+b1" → "3.11.2", for people who ask for that.
std::string upstream_version(std::string_view version);

}  // namespace flox::package
