#include "nix/nar_parser.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/printable.h"
#include "nix/nar.h"

namespace flox::nix {
namespace {

constexpr uint64_t max_tag = 32;       // bytes; no word of the format is longer
constexpr uint64_t max_name = 255;     // NAME_MAX
constexpr uint64_t max_target = 4095;  // PATH_MAX without its NUL
constexpr size_t most_shown = 80;      // characters of a word of the archive, in messages

template <typename... Args>
[[noreturn]] void malformed(fmt::format_string<Args...> format, Args&&... args) {
  fail(ErrorKind::invalid_input, "malformed NAR: {}", fmt::format(format, std::forward<Args>(args)...));
}

// The number that the first 8 bytes hold.
uint64_t little_endian(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = 8; i-- > 0;) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

}  // namespace

// The archive is a sequence of strings. `Reading` says which part of a string comes next, `Expect` which
// string of the grammar it is; only file contents are passed on before they are complete.
struct NarParser::State {
  explicit State(NarHandler& told) : handler(told) {}

  enum class Reading { length, bytes, padding };
  enum class Expect {
    magic,
    node_open,
    type_key,
    type,
    file_key,
    executable_value,
    contents_key,
    contents,
    node_close,
    target_key,
    target,
    entry_or_close,
    entry_open,
    name_key,
    name,
    node_key,
    entry_close,
    end,
  };

  NarHandler& handler;
  std::vector<std::string> last_names;  // of each open directory the entry before, to see that names increase
  Reading reading = Reading::length;
  Expect expect = Expect::magic;
  bool executable = false;  // the file whose contents come
  std::string length_bytes;
  std::string text;     // the string so far, unless it is contents
  uint64_t length = 0;  // of the current string
  uint64_t left = 0;    // bytes of it, then of its padding, still to come

  void feed(std::string_view piece);
  void begin_string(uint64_t size);
  void end_of_bytes();
  void end_of_string();
  uint64_t limit() const;
  void want(std::string_view word, Expect next);
  void begin_node(std::string_view type);
  void end_node();
  void take_name();
  void take_target();
};

void NarParser::State::feed(std::string_view piece) {
  while (!piece.empty()) {
    if (expect == Expect::end) malformed("there are bytes after its end");
    switch (reading) {
      case Reading::length: {
        if (length_bytes.empty() && piece.size() >= 8) {
          handler.structure(piece.substr(0, 8));
          begin_string(little_endian(piece));
          piece.remove_prefix(8);
          break;
        }
        const size_t count = std::min(piece.size(), 8 - length_bytes.size());
        handler.structure(piece.substr(0, count));
        length_bytes += piece.substr(0, count);
        piece.remove_prefix(count);
        if (length_bytes.size() < 8) break;
        const uint64_t size = little_endian(length_bytes);
        length_bytes.clear();
        begin_string(size);
        break;
      }
      case Reading::bytes: {
        const auto count = static_cast<size_t>(std::min<uint64_t>(piece.size(), left));
        const std::string_view part = piece.substr(0, count);
        if (expect == Expect::contents) {
          handler.contents(part);
        } else {
          handler.structure(part);
          text += part;
        }
        piece.remove_prefix(count);
        left -= count;
        if (left == 0) end_of_bytes();
        break;
      }
      case Reading::padding: {
        const auto count = static_cast<size_t>(std::min<uint64_t>(piece.size(), left));
        if (piece.substr(0, count).find_first_not_of('\0') != std::string_view::npos)
          malformed("its padding is not zero");
        handler.structure(piece.substr(0, count));
        piece.remove_prefix(count);
        left -= count;
        if (left == 0) end_of_string();
        break;
      }
    }
  }
}

uint64_t NarParser::State::limit() const {
  switch (expect) {
    case Expect::contents:
      return UINT64_MAX;
    case Expect::name:
      return max_name;
    case Expect::target:
      return max_target;
    default:
      return max_tag;
  }
}

// Nothing is allocated by the announced length before it is known to be allowed.
void NarParser::State::begin_string(uint64_t size) {
  if (size > limit()) malformed("a string of {} bytes where at most {} may stand", size, limit());
  length = left = size;
  text.clear();
  reading = Reading::bytes;
  if (expect == Expect::contents) handler.begin_regular(executable, size);
  if (left == 0) end_of_bytes();
}

void NarParser::State::end_of_bytes() {
  left = (8 - length % 8) % 8;
  reading = Reading::padding;
  if (left == 0) end_of_string();
}

void NarParser::State::want(std::string_view word, Expect next) {
  if (text != word) malformed("'{}' stands where '{}' should", printable(text, most_shown), word);
  expect = next;
}

void NarParser::State::end_of_string() {
  reading = Reading::length;
  switch (expect) {
    case Expect::magic:
      return want("nix-archive-1", Expect::node_open);
    case Expect::node_open:
      return want("(", Expect::type_key);
    case Expect::type_key:
      return want("type", Expect::type);
    case Expect::type:
      return begin_node(text);
    case Expect::file_key:
      if (text == "executable") {
        expect = Expect::executable_value;
        return;
      }
      executable = false;
      return want("contents", Expect::contents);
    case Expect::executable_value:
      return want("", Expect::contents_key);
    case Expect::contents_key:
      executable = true;
      return want("contents", Expect::contents);
    case Expect::contents:
      handler.end_regular();
      expect = Expect::node_close;
      return;
    case Expect::node_close:
      want(")", Expect::end);
      return end_node();
    case Expect::target_key:
      return want("target", Expect::target);
    case Expect::target:
      return take_target();
    case Expect::entry_or_close:
      if (text == "entry") {
        expect = Expect::entry_open;
        return;
      }
      want(")", Expect::end);
      last_names.pop_back();
      handler.end_directory();
      return end_node();
    case Expect::entry_open:
      return want("(", Expect::name_key);
    case Expect::name_key:
      return want("name", Expect::name);
    case Expect::name:
      return take_name();
    case Expect::node_key:
      return want("node", Expect::node_open);
    case Expect::entry_close:
      return want(")", Expect::entry_or_close);
    case Expect::end:
      return;
  }
}

void NarParser::State::begin_node(std::string_view type) {
  if (last_names.size() > max_nar_depth) malformed("it is more than {} levels deep", max_nar_depth);
  if (type == "regular") {
    expect = Expect::file_key;
  } else if (type == "symlink") {
    expect = Expect::target_key;
  } else if (type == "directory") {
    handler.begin_directory();
    last_names.emplace_back();
    expect = Expect::entry_or_close;
  } else {
    malformed("'{}' is not a type of file", printable(type, most_shown));
  }
}

void NarParser::State::end_node() { expect = last_names.empty() ? Expect::end : Expect::entry_close; }

void NarParser::State::take_target() {
  if (text.empty() || text.find('\0') != std::string::npos) malformed("a symlink has an impossible target");
  handler.symlink(text);
  expect = Expect::node_close;
}

void NarParser::State::take_name() {
  if (text.empty() || text == "." || text == ".." || text.find('/') != std::string::npos ||
      text.find('\0') != std::string::npos)
    malformed("'{}' cannot be a file name", printable(text, most_shown));
  std::string& last = last_names.back();
  if (!last.empty() && text <= last)
    malformed("the names '{}' and '{}' are not sorted", printable(last, most_shown),
              printable(text, most_shown));
  last = text;
  handler.name(text);
  expect = Expect::node_key;
}

NarParser::NarParser(NarHandler& handler) : state_(std::make_unique<State>(handler)) {}
NarParser::NarParser(NarParser&&) noexcept = default;
NarParser::~NarParser() = default;
void NarParser::feed(std::string_view piece) { state_->feed(piece); }
void NarParser::finish() {
  if (state_->expect != State::Expect::end) malformed("it is cut off");
}

}  // namespace flox::nix
