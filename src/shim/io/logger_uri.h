// URIs that name where a task's output goes: "binary:///program?key=value", "file:///path".
#pragma once  // Fuzzed by fuzz/logger_uri.cc.

#include <string>
#include <vector>

namespace flox::shim {

// "binary" of "binary:///x"; empty for a plain path.
std::string uri_scheme(const std::string& text);
// "/path" of "file:///path", percent-decoded; a plain path is itself.
std::string uri_path(const std::string& text);

struct LoggerUri {
  std::vector<std::string> argv;  // the program, then key and value of each query parameter
  // Throws Error(invalid_input) if no absolute program is named.
  static LoggerUri parse(const std::string& text);
};

}  // namespace flox::shim
