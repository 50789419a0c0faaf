// What the lines of a thread are about, so that they can be found, and joined with traces:
//
//   const log::Fields fields{{"pod", name}, {"trace_id", trace}};
//   log::info("prepared");        // "TIME info pod=web-1 trace_id=0af7… prepared"
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flox::log {

// "json": lines are JSON objects; else they are text.
inline constexpr const char* format_variable = "FLOX_LOG_FORMAT";

// From its making to its end, in one thread: each line of the thread has these fields, those of the outermost
// first. A field without a value is left out. Values may be untrusted: what is no plain word stands in
// quotes.
class Fields {
 public:
  using Field = std::pair<std::string_view, std::string>;
  using List = std::vector<Field>;
  Fields(std::initializer_list<Field> fields);
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;
  ~Fields();

  // Those of this thread now.
  static List current();

 private:
  const List fields_;
  const Fields* const outer_;
};

// One event as daemons write it, without its end of line: as text, "LEVEL NAME=VALUE… message", or as a JSON
// object with the members time, level, message and those of the fields.
std::string text_line(std::string_view level, const Fields::List& fields, std::string_view message);
std::string json_line(std::string_view time, std::string_view level, const Fields::List& fields,
                      std::string_view message);

}  // namespace flox::log
