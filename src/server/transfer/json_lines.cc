#include "server/transfer/json_lines.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/data/json.h"
#include "base/error.h"

namespace flox::server {
namespace {

constexpr size_t piece = 1 << 20;  // bytes that are read or written at once
constexpr JsonLimits line_limits{.bytes = longest_line, .depth = 2, .values = 16};

}  // namespace

void JsonLinesWriter::write(const nlohmann::json& object) {
  std::string line;
  try {
    line = object.dump();
  } catch (const nlohmann::json::exception&) {
    fail(ErrorKind::invalid_input, "a text is not UTF-8");
  }
  line += '\n';
  hash_.update(line);
  size_ += line.size();
  ++count_;
  buffer_ += line;
  if (buffer_.size() < piece) return;
  write_all(fd_.get(), buffer_);
  buffer_.clear();
}

Sha256Digest JsonLinesWriter::finish() {
  write_all(fd_.get(), buffer_);
  if (::fsync(fd_.get()) != 0) fail_errno(errno, "writing records to disk");
  return hash_.finish();
}

bool JsonLinesReader::read_more() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  if (buffer_.size() > longest_line)
    fail(ErrorKind::invalid_input, "{}:{}: the line is over {} bytes", name_, line_ + 1, longest_line);
  const size_t before = buffer_.size();
  buffer_.resize(before + piece);
  const size_t count = read_some(fd_.get(), buffer_.data() + before, piece);
  buffer_.resize(before + count);
  hash_.update(std::string_view(buffer_).substr(before));
  return count > 0;
}

bool JsonLinesReader::next(nlohmann::json& object) {
  size_t end = std::string::npos, from = begin_;
  while ((end = buffer_.find('\n', from)) == std::string::npos) {
    from = buffer_.size() - begin_;
    if (read_more()) continue;
    if (buffer_.empty()) return false;
    fail(ErrorKind::invalid_input, "{}:{}: the last line has no end", name_, line_ + 1);
  }
  ++line_;
  object = parse_json(std::string_view(buffer_).substr(begin_, end - begin_), place(), line_limits);
  begin_ = end + 1;
  if (!object.is_object()) fail(ErrorKind::invalid_input, "{}: the line is no object", place());
  return true;
}

std::string JsonLinesReader::place() const { return fmt::format("{}:{}", name_, line_); }

}  // namespace flox::server
