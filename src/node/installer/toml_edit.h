// Changes single values of a TOML text that belongs to somebody else: every other byte, comments and layout
// included, stays, and each edit says in a comment of its own what stood there, so that it can be undone
// although the text has been changed elsewhere since.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flox::node {

using TomlPath = std::vector<std::string>;  // {"plugins", "io.containerd…", "registry"}
// Key → value as TOML writes it: {"version", "2"}. An empty value: the key must not be there.
using TomlValues = std::vector<std::pair<std::string, std::string>>;

// The text with these values in the table at `path`. Where a value differs, its line is changed; what is
// missing is put below the table's header; a table without a header of its own is appended with all its
// values. A text that has the values already is given back as it is. `name` is the text's, for messages.
//
// Throws Error(invalid_input) if the text is no TOML, or if it is written in a way that leaves no line to
// change (inline tables, dotted keys): the advice is what to write by hand.
std::string set_toml_values(std::string_view text, const TomlPath& path, const TomlValues& values,
                            std::string_view name);

// A table with its values as the edits above append it, in comments that say whose it is.
std::string toml_block(const TomlPath& path, const TomlValues& values);

// The text without the edits above. A text without any comes back as it is.
std::string undo_toml_edits(std::string_view text);

// A value of the text at `path` as TOML writes it (strings with quotes, a table as {…}); empty if there is
// none. Throws Error(invalid_input).
std::string toml_value(std::string_view text, const TomlPath& path, std::string_view name);
// The values of the table at `path`, tables in it left out; none if there is no such table. Throws
// Error(invalid_input).
TomlValues toml_values(std::string_view text, const TomlPath& path, std::string_view name);

// "[a.\"b.c\".d]"
std::string toml_header(const TomlPath& path);

}  // namespace flox::node
