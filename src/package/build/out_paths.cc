#include "package/build/out_paths.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/printable.h"

namespace flox::package {
namespace {

namespace fs = std::filesystem;

constexpr size_t max_line = 4096;  // bytes of an interpreter's line that are looked at

std::vector<std::string> places_in(const fs::path& tree) {
  std::vector<std::string> places;
  for (const auto& entry : fs::recursive_directory_iterator(tree)) {
    const auto type = entry.symlink_status().type();
    if (type == fs::file_type::symlink || type == fs::file_type::regular)
      places.push_back(entry.path().lexically_relative(tree).string());
  }
  std::ranges::sort(places);
  return places;
}

bool is_of_name(char character) {
  return std::isalnum(static_cast<unsigned char>(character)) != 0 ||
         std::string_view("+-._").find(character) != std::string_view::npos;
}

// Where `path` stands in the text as a path of its own, from `from` on.
size_t find_path(std::string_view text, std::string_view path, size_t from) {
  for (size_t at = text.find(path, from); at != std::string_view::npos; at = text.find(path, at + 1)) {
    const size_t end = at + path.size();
    const bool is_option =
        at >= 2 && text[at - 2] == '-' && std::isalpha(static_cast<unsigned char>(text[at - 1])) != 0;
    const bool begins = at == 0 || is_option || !(is_of_name(text[at - 1]) || text[at - 1] == '/');
    if (begins && (end == text.size() || text[end] == '\0' || !is_of_name(text[end]))) return at;
  }
  return std::string_view::npos;
}

bool replace_all(std::string& text, const std::string& from, const std::string& to, bool whole_paths) {
  bool changed = false;
  size_t at = 0;
  for (;;) {
    at = whole_paths ? find_path(text, from, at) : text.find(from, at);
    if (at == std::string::npos) return changed;
    text.replace(at, from.size(), to);
    at += to.size();
    changed = true;
  }
}

// The path from there to its end, for messages.
std::string path_at(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && text[end] != '\0' && (is_of_name(text[end]) || text[end] == '/')) ++end;
  return printable(text.substr(at, end - at), 300);
}

bool is_text(std::string_view content) { return content.find('\0') == std::string_view::npos; }

bool is_script(std::string_view content, mode_t mode) {
  return (mode & 0111) != 0 && content.starts_with("#!");
}

bool is_read_for_paths(const std::string& place) {
  const fs::path name = fs::path(place).filename();
  return name == "pyvenv.cfg" || name.extension() == ".pth" || name.extension() == ".egg-link" ||
         name.extension() == ".pc" || name.extension() == ".la";
}

class Settler {
 public:
  Settler(const fs::path& tree, const OutPaths& paths) : tree_(tree), root_(tree), paths_(paths) {}

  void run() {
    for (const std::string& place : places_in(tree_)) {
      const auto status = root_.status(place);
      if (!status) continue;
      if (S_ISLNK(status->st_mode))
        settle_link(place);
      else
        settle_file(place, status->st_mode);
    }
    if (noted_ > most_notes)
      paths_.note(fmt::format("note: {} more files name such directories", noted_ - most_notes));
  }

 private:
  static constexpr size_t most_notes = 10;

  void settle_link(const std::string& place) {
    std::string target = root_.read_link(place);
    bool changed = false;
    for (const auto& [from, to] : paths_.same_length)
      changed = replace_all(target, from, to, false) || changed;
    for (const auto& [from, to] : paths_.in_texts) changed = replace_all(target, from, to, true) || changed;
    for (const std::string& local : paths_.local)
      if (find_path(target, local, 0) == 0) refuse(place, "it is a link to", printable(target, 300));
    if (!changed) return;
    root_.remove(place);
    root_.make_link(place, target);
  }

  void settle_file(const std::string& place, mode_t mode) {
    std::string content = root_.read_file(place, max_built_file);
    bool changed = false;
    for (const auto& [from, to] : paths_.same_length)
      changed = replace_all(content, from, to, false) || changed;
    const bool text = is_text(content);
    for (const auto& [from, to] : paths_.in_texts) {
      const size_t at = find_path(content, from, 0);
      if (at == std::string::npos) continue;
      if (!text)
        refuse(place, "it is no text, in which the path could be changed, and has", path_at(content, at));
      changed = replace_all(content, from, to, true) || changed;
    }
    for (const std::string& local : paths_.local) {
      const size_t at = find_path(content, local, 0);
      if (at == std::string::npos) continue;
      if (text && (is_script(content, mode) || is_read_for_paths(place)))
        refuse(place, "it names", path_at(content, at));
      if (++noted_ <= most_notes)
        paths_.note(fmt::format("note: {} names {}, which only this machine has", printable(place),
                                path_at(content, at)));
    }
    if (changed) root_.write_file(place, content, mode & 0777);
  }

  [[noreturn]] static void refuse(const std::string& place, std::string_view what, const std::string& path) {
    throw Error(ErrorKind::invalid_input,
                fmt::format("$out/{}: {} {}, which only this machine has", printable(place), what, path),
                "Copy what is needed into $out, or name it by $out or $FLOX_ENV, which become store paths.");
  }

  const fs::path& tree_;
  const Directory root_;
  const OutPaths& paths_;
  size_t noted_ = 0;
};

}  // namespace

void settle_out_paths(const fs::path& tree, const OutPaths& paths) { Settler(tree, paths).run(); }

std::string place_with(const fs::path& tree, const std::string& text) {
  const Directory root(tree);
  for (const std::string& place : places_in(tree)) {
    const auto status = root.status(place);
    if (!status) continue;
    const std::string content =
        S_ISLNK(status->st_mode) ? root.read_link(place) : root.read_file(place, max_built_file);
    if (content.find(text) != std::string::npos) return place;
  }
  return {};
}

void require_shebangs_inside(const fs::path& tree, const std::vector<std::string>& allowed) {
  const Directory root(tree);
  for (const std::string& place : places_in(tree)) {
    const auto status = root.status(place);
    if (!status || !S_ISREG(status->st_mode) || (status->st_mode & 0111) == 0) continue;
    const Fd file = root.open(place, O_RDONLY | O_NONBLOCK);
    std::string line(max_line, '\0');
    line.resize(read_some(file.get(), line.data(), line.size()));
    if (!line.starts_with("#!")) continue;
    line = line.substr(2, line.find('\n') - 2);
    const size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos) continue;
    const std::string interpreter = line.substr(begin, line.find_first_of(" \t\r", begin) - begin);
    if (interpreter == "/bin/sh" || interpreter == "/usr/bin/env" || interpreter.front() != '/') continue;
    if (std::ranges::any_of(allowed,
                            [&](const std::string& path) { return interpreter.starts_with(path + "/"); }))
      continue;
    throw Error(ErrorKind::untrusted,
                fmt::format("{} is run by {}, which is not in its closure", printable(place),
                            printable(interpreter, 300)),
                "Install the interpreter into the environment and build again, begin the script with "
                "'#!/usr/bin/env NAME', or make it not executable.");
  }
}

}  // namespace flox::package
