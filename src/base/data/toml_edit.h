// Changing single values of a TOML text that people write: comments, order, layout and line ends stay, byte
// by byte. After every change the new text is parsed; it is given only if it says what the old one said with
// the wanted difference and no other.
#pragma once  // Fuzzed by fuzz/toml_edit.cc.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace flox {

// Names of tables and, last, of the key: {"install", "web", "version"}.
using TomlPath = std::vector<std::string>;
using TomlNewValue = std::variant<std::string, std::vector<std::string>>;

// The text with the value at `path`, which has 1 to 64 names. A value that is there is replaced where it
// stands; if it is this one already, however it is written, the text stays as it is. A new one goes into the
// table that holds it, however that is written (a header, an inline table, dotted keys), as deep as there is
// one, otherwise under a header of its own. `name` is the file's, for messages. Throws Error(invalid_input)
// if the text is no TOML or cannot be changed so; then nothing has happened.
std::string with_toml_value(std::string_view text, const TomlPath& path, const TomlNewValue& value,
                            std::string_view name);

// The text without what stands at `path`, a value or a whole table with all its lines. If with_toml_value
// made the first of the path's tables that was missing, removing that one gives the text before, byte by
// byte; the header of a table that had only tables in it before stays. Throws Error(not_found) if there is
// nothing, invalid_input as above.
std::string without_toml_value(std::string_view text, const TomlPath& path, std::string_view name);

// A string or a key as TOML has it, in quotes where it needs them. Text that is not UTF-8 makes no TOML.
std::string toml_string(std::string_view text);
std::string toml_key(std::string_view name);

}  // namespace flox
