// The concrete syntax of a TOML text: where each key, value, line and section stands in it, so that a text
// can be changed at one place with every other byte left as it is. What lies between the places (spaces,
// comments, empty lines) belongs to nobody, and stays.
#pragma once  // Fuzzed by fuzz/toml_edit.cc.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/data/toml_limits.h"

namespace flox {

// From `begin` up to, not including, `end`; bytes of the text.
struct TomlPlace {
  size_t begin = 0;
  size_t end = 0;
};

// a."b.c".d
struct TomlKey {
  std::vector<std::string> names;  // without quotes, escapes decoded
  std::vector<TomlPlace> places;   // of each name, with its quotes
};

struct TomlEntry;

struct TomlValue {
  TomlPlace place;
  bool is_inline_table = false;
  std::vector<TomlEntry> entries;  // of an inline table
};

// key = value
struct TomlEntry {
  TomlKey key;
  TomlValue value;
};

struct TomlStatement {
  TomlPlace line;  // with its indentation, comment and line end; several lines if the value has several
  TomlEntry entry;
};

// [name] or [[name]], and what follows up to the next header. The first section is the text before any
// header; it has no name, and its line is empty.
struct TomlSection {
  TomlKey name;
  bool is_list = false;  // [[name]]
  TomlPlace line;        // of the header
  std::vector<TomlStatement> statements;

  // Behind its last statement, or its header.
  size_t end() const { return statements.empty() ? line.end : statements.back().line.end; }
};

struct TomlSyntax {
  std::vector<TomlSection> sections;  // at least one
};

// TOML 1.0 as parse_toml reads it. What it does not check (which dates there are, whether a table is defined
// twice) is for parse_toml to refuse. Recurses once per level of arrays and inline tables, of which there are
// limits.depth. Throws Error(invalid_input) "NAME:LINE:COLUMN: …".
TomlSyntax scan_toml(std::string_view text, std::string_view name, const TomlLimits& limits = {});

}  // namespace flox
