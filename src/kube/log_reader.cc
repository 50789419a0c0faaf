#include "kube/log_reader.h"

#include <fstream>

namespace flox::kube {

bool parse_log_line(const std::string& raw, LogLine& line, bool& partial) {
  const size_t time = raw.find(' ');
  const size_t stream = time == std::string::npos ? time : raw.find(' ', time + 1);
  if (stream == std::string::npos) return false;
  const size_t tag = std::min(raw.find(' ', stream + 1), raw.size());
  const std::string name = raw.substr(time + 1, stream - time - 1),
                    tags = raw.substr(stream + 1, tag - stream - 1);
  if (name != "stdout" && name != "stderr") return false;
  line.time = raw.substr(0, time);
  line.is_error = name == "stderr";
  partial = tags.substr(0, tags.find(':')) == "P";
  line.text = tag < raw.size() ? raw.substr(tag + 1) : "";
  if (!partial) line.text += '\n';
  return true;
}

void LogReader::read(const std::function<void(const LogLine&)>& take) {
  std::ifstream file(path_, std::ios::binary);
  if (!file) return;
  file.seekg(offset_);
  std::string raw;
  while (std::getline(file, raw)) {
    if (file.eof()) return;  // its line feed is still to come
    offset_ += static_cast<std::streamoff>(raw.size()) + 1;
    LogLine line;
    bool partial = false;
    if (parse_log_line(raw, line, partial)) take(line);
  }
}

}  // namespace flox::kube
