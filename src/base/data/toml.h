// TOML from outside, through toml++: the only way in which this project reads it (script/lint refuses
// toml::parse() elsewhere). Its assertions would end the process on some malformed texts ("[`" is
// one): here they are errors. Include this instead of toml++'s own headers: every file must have the same
// definitions.
#pragma once  // Fuzzed by fuzz/toml.cc.

#include <string_view>

#include "base/data/toml_limits.h"
#include "base/error.h"

namespace flox {

[[noreturn]] inline void fail_toml_assertion(const char* condition) {
  fail(ErrorKind::invalid_input, "malformed TOML ({})", condition);
}

}  // namespace flox

#define TOML_ASSERT(condition) ((condition) ? static_cast<void>(0) : ::flox::fail_toml_assertion(#condition))
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 1
#define TOML_ENABLE_WINDOWS_COMPAT 0
#include <toml++/toml.h>

namespace flox {

// Throws Error(invalid_input) "NAME:LINE:COLUMN: …", also for a text that breaks a limit.
inline toml::table parse_toml(std::string_view text, std::string_view name, const TomlLimits& limits = {}) {
  check_toml(text, name, limits);
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    fail(ErrorKind::invalid_input, "{}:{}:{}: {}", name, at.line, at.column, error.description());
  } catch (const Error& error) {
    throw error.with_context(name);
  }
}

}  // namespace flox
