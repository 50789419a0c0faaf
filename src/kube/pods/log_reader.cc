#include "kube/pods/log_reader.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <string_view>
#include <vector>

namespace flox::kube {
namespace {

// 0 if it is not there.
uint64_t inode_of(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

}  // namespace

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
  const uint64_t now = inode_of(path_);
  if (now == 0) return;
  if (file_ != 0 && file_ != now) read_rotated(take);
  file_ = now;
  read_file(path_, take);
}

// What is left of the file that was read last, and those after it, which was moved away after it.
void LogReader::read_rotated(const std::function<void(const LogLine&)>& take) {
  const std::string begin = path_.filename().string() + ".";
  std::vector<std::filesystem::path> rotated;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(path_.parent_path(), ignored))
    if (entry.path().filename().string().starts_with(begin)) rotated.push_back(entry.path());
  std::ranges::sort(rotated);  // their names are times
  auto next = std::ranges::find(rotated, file_, inode_of);
  for (; next != rotated.end(); ++next) {
    read_file(*next, take);
    offset_ = 0;
  }
  offset_ = 0;
}

void LogReader::read_file(const std::filesystem::path& path,
                          const std::function<void(const LogLine&)>& take) {
  constexpr size_t most_line = 1 << 20;
  std::ifstream file(path, std::ios::binary);
  if (!file) return;
  file.seekg(offset_);
  std::string raw;
  std::vector<char> buffer(64 << 10);
  std::streamoff length = 0;  // of the line so far, with what was not kept
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), file.gcount() > 0) {
    std::string_view rest(buffer.data(), static_cast<size_t>(file.gcount()));
    while (!rest.empty()) {
      const size_t end = rest.find('\n');
      const std::string_view piece = rest.substr(0, end);
      raw.append(piece.substr(0, std::min(piece.size(), most_line - raw.size())));
      length += static_cast<std::streamoff>(piece.size());
      if (end == rest.npos) break;  // its line feed is still to come
      rest.remove_prefix(end + 1);
      offset_ += length + 1;
      LogLine line;
      bool partial = false;
      if (parse_log_line(raw, line, partial)) take(line);
      raw.clear();
      length = 0;
    }
  }
}

}  // namespace flox::kube
