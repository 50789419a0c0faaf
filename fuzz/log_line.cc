// Lines of containers' logs: their text is whatever a container printed.
#include "fuzz.h"
#include "kube/pods/log_reader.h"

namespace flox::fuzz::of_log_line {

void one(std::string_view input) {
  kube::LogLine line;
  bool partial = false;
  if (!kube::parse_log_line(std::string(input), line, partial)) return;
  const std::string text = line.text.substr(0, line.text.size() - (partial ? 0 : 1));
  require(partial || line.text.ends_with('\n'), "a full line has its end");
  require(input.ends_with(text), "the text is the end of the line");
  require(input.starts_with(line.time + (line.is_error ? " stderr " : " stdout ")),
          "time and stream stand before it");
}

}  // namespace flox::fuzz::of_log_line
