#include "package/debian/application.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "base/os/file.h"
#include "base/wildcard.h"

namespace flox::package {
namespace {

using Entry = PackageTree::Entry;
using Kind = Entry::Kind;

constexpr size_t max_own_script = size_t{64} << 20;  // bytes
constexpr size_t max_copy = size_t{1} << 30;         // bytes of a program

std::string tree_place(const Application& application) { return "libexec/flox/" + application.name; }
std::string tree_path(const Application& application) {
  return application.own_path + "/" + tree_place(application);
}

bool is_program_directory(std::string_view directory) {
  return directory == "bin" || directory == "sbin" || directory == "games";
}

std::string name_part(std::string_view place) { return std::string(place.substr(place.rfind('/') + 1)); }

bool is_one_of(const std::vector<std::string>& patterns, const std::string& place) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return matches_path_pattern(pattern, place); });
}

// What the rules put before the user's arguments of the program, as words of a shell, with a space behind
// each. `root` is the tree.
std::string arguments_for(const ImportRules& rules, const std::string& root, const std::string& place) {
  std::string arguments;
  for (const auto& rule : rules.arguments) {
    if (!is_one_of(rule.programs, place)) continue;
    for (std::string text : rule.add) {
      if (const size_t at = text.find("{tree}"); at != std::string::npos) text.replace(at, 6, root);
      arguments += shell_word(text) + " ";
    }
  }
  return arguments;
}

// A directory with what is to be in it.
struct Folder {
  std::map<std::string, Folder, std::less<>> folders;
  std::map<std::string, const Entry*, std::less<>> files;

  void add(std::string_view place, const Entry& entry) {
    const size_t slash = place.find('/');
    if (slash == std::string_view::npos)
      files.emplace(place, &entry);
    else
      folders[std::string(place.substr(0, slash))].add(place.substr(slash + 1), entry);
  }
};

class Writer {
 public:
  Writer(const PackageTree& tree, const Application& application, const ImportRules& rules)
      : tree_(tree), application_(application), rules_(rules) {}

  // All of the tree.
  void write_tree(const Directory& out) {
    Folder root;
    for (const auto& [place, entry] : tree_.entries()) root.add(place, entry);
    write_folder(root, "", out);
  }
  // What the user asked for and is no program.
  void write_own(const Directory& out, const std::set<std::string>& more) {
    Folder root;
    for (const auto& [place, entry] : tree_.entries()) {
      const size_t slash = place.find('/');
      if (slash == std::string::npos || is_program_directory(place.substr(0, slash))) continue;
      if (application_.own.contains(entry.piece) || more.contains(place)) root.add(place, entry);
    }
    outside_ = true;
    write_folder(root, "", out);
  }

 private:
  // The piece that has exactly this directory, if one has: the directory can be a link to it.
  std::optional<size_t> whole(const Folder& folder, const std::string& place) const {
    std::optional<size_t> piece;
    const auto same = [&](size_t other) {
      if (!piece) piece = other;
      return *piece == other;
    };
    for (const auto& [name, entry] : folder.files) {
      if (!same(entry->piece)) return std::nullopt;
      if (entry->kind == Kind::link) {
        // Within the directory, so that it leads to the same from wherever the directory is reached.
        const std::string target = (fs::path(place) / entry->target).lexically_normal().string();
        if (entry->target.starts_with('/') || !target.starts_with(place + "/")) return std::nullopt;
      } else if (entry->kind != Kind::file) {
        return std::nullopt;
      }
    }
    for (const auto& [name, below] : folder.folders) {
      const auto inner = whole(below, place + "/" + name);
      if (!inner || !same(*inner)) return std::nullopt;
    }
    if (!piece) return std::nullopt;
    const fs::path there = tree_.pieces()[*piece].files / place;
    // Links that lead nowhere were left out, other packages may have had the last word.
    const size_t count = Directory(there).names().size();
    return count == folder.files.size() + folder.folders.size() ? piece : std::nullopt;
  }

  void write_folder(const Folder& folder, const std::string& place, const Directory& out) {
    for (const auto& [name, below] : folder.folders) {
      const std::string there = place.empty() ? name : place + "/" + name;
      if (!place.empty())
        if (const auto piece = whole(below, there)) {
          out.make_link(name, tree_.pieces()[*piece].path.to_string() + "/" + there);
          continue;
        }
      write_folder(below, there, out.make_directory(name));
    }
    for (const auto& [name, entry] : folder.files) {
      const std::string there = place.empty() ? name : place + "/" + name;
      in_context(there, [&] {
        outside_ ? write_link_in(*entry, there, name, out) : write_entry(*entry, there, name, out);
      });
    }
  }

  // Beside the tree: a link to the piece, or into the tree where that has something else.
  void write_link_in(const Entry& entry, const std::string& place, const std::string& name,
                     const Directory& out) const {
    if (entry.kind == Kind::file)
      return out.make_link(name, tree_.pieces()[entry.piece].path.to_string() + "/" + place);
    if (entry.kind == Kind::link) {
      // Two packages that bring one module bring the same link.
      const auto resolved = tree_.resolve(place);
      const auto found = resolved ? tree_.entries().find(*resolved) : tree_.entries().end();
      if (found != tree_.entries().end() && found->second.kind == Kind::file)
        return out.make_link(name, tree_.pieces()[found->second.piece].path.to_string() + "/" + *resolved);
    }
    out.make_link(name, tree_path(application_) + "/" + place);
  }

  void write_entry(const Entry& entry, const std::string& place, const std::string& name,
                   const Directory& out) const {
    const Piece& piece = tree_.pieces()[entry.piece];
    switch (entry.kind) {
      case Kind::link:
        return out.make_link(name, entry.target);
      case Kind::file:
        return write_file_of(piece, entry, place, name, out);
      case Kind::text:
        return out.create_file(name, tree_.rewritten(entry.content, tree_path(application_)));
      case Kind::copy: {
        const Directory files(piece.files);
        const auto status = files.status(place);
        return out.create_file(name, files.read_file(place, max_copy),
                               status && (status->st_mode & 0111) != 0 ? 0755 : 0644);
      }
      case Kind::script:
        return write_script(entry, place, name, out);
    }
  }

  // A program that another package's programs call by its name needs the rules' arguments as well: go and
  // rustc call gcc.
  void write_file_of(const Piece& piece, const Entry& entry, const std::string& place,
                     const std::string& name, const Directory& out) const {
    const std::string file = piece.path.to_string() + "/" + place;
    const std::string arguments = application_.own.contains(entry.piece) || application_.shell.empty()
                                      ? std::string()
                                      : arguments_for(rules_, tree_path(application_), place);
    if (arguments.empty()) return out.make_link(name, file);
    out.create_file(
        name, fmt::format("#!{}\nexec {} {}\"$@\"\n", application_.shell, shell_word(file), arguments), 0755);
  }

  // A script whose interpreter is not there stays what it is in its piece, and is no program.
  void write_script(const Entry& entry, const std::string& place, const std::string& name,
                    const Directory& out) const {
    const Piece& piece = tree_.pieces()[entry.piece];
    const std::string content = Directory(piece.files).read_file(place, max_own_script);
    const size_t end = std::min(content.find('\n'), content.size());
    const std::string line = content.substr(0, end);
    const std::string interpreter = interpreter_place(line);
    if (interpreter.empty() || !tree_.resolve(interpreter))
      return out.make_link(name, piece.path.to_string() + "/" + place);
    // What follows the interpreter, or the word after env.
    std::string rest = line.substr(2);
    const auto drop_word = [&rest] {
      rest.erase(0, std::min(rest.find_first_not_of(" \t"), rest.size()));
      const std::string word = rest.substr(0, rest.find_first_of(" \t"));
      rest.erase(0, word.size());
      return word;
    };
    if (drop_word().ends_with("/env") && drop_word() == "-S") drop_word();
    out.create_file(
        name,
        fmt::format("#!{}/{}{}{}", tree_path(application_), interpreter, rest,
                    tree_.rewritten(std::string_view(content).substr(end), tree_path(application_))),
        0755);
  }

  const PackageTree& tree_;
  const Application& application_;
  const ImportRules& rules_;
  bool outside_ = false;
};

// Is what is there a program: an executable file, or a script whose interpreter is there?
bool is_program(const PackageTree& tree, const std::string& resolved) {
  const auto found = tree.entries().find(resolved);
  if (found == tree.entries().end()) return false;
  const Directory files(tree.pieces()[found->second.piece].files);
  if (found->second.kind == Kind::script) {
    const std::string content = files.read_file(resolved, max_own_script);
    const std::string interpreter = interpreter_place(content.substr(0, content.find('\n')));
    return !interpreter.empty() && tree.resolve(interpreter).has_value();
  }
  if (found->second.kind != Kind::file && found->second.kind != Kind::copy) return false;
  const auto status = files.status(resolved);
  return status && S_ISREG(status->st_mode) && (status->st_mode & 0111) != 0;
}

// Modules of other packages, if the application is a package of modules alone.
std::set<std::string> modules_around(const PackageTree& tree, const ImportRules& rules) {
  std::set<std::string> result;
  for (const std::string& pattern : rules.modules)
    for (const std::string& directory : tree.matching(pattern)) {
      const std::string prefix = directory + "/";
      for (auto it = tree.entries().lower_bound(prefix);
           it != tree.entries().end() && it->first.starts_with(prefix); ++it)
        result.insert(it->first);
    }
  return result;
}

}  // namespace

std::string shell_word(std::string_view text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

WrapperParts parts_of_wrapper(std::string_view script) {
  const size_t exec = script.rfind("\nexec '");
  const size_t begin = exec == std::string_view::npos ? exec : exec + 7;
  const size_t end = exec == std::string_view::npos ? exec : script.find('\'', begin);
  if (end == std::string_view::npos || !script.starts_with("#!"))
    fail(ErrorKind::invalid_input, "it is not a wrapper that this program wrote");
  return {.lead = std::string(script.substr(0, exec + 1)),
          .program = std::string(script.substr(begin, end - begin))};
}

WrapperParts read_wrapper(const fs::path& directory, const std::string& place) {
  constexpr size_t max_wrapper = 1 << 20;  // bytes
  return in_context(place,
                    [&] { return parts_of_wrapper(Directory(directory).read_file(place, max_wrapper)); });
}

std::vector<std::string> own_programs(const PackageTree& tree, const Application& application) {
  std::vector<std::string> result;
  for (const auto& [place, entry] : tree.entries()) {
    const size_t slash = place.rfind('/');
    if (slash == std::string::npos || !is_program_directory(place.substr(0, slash))) continue;
    if (!application.own.contains(entry.piece)) continue;
    const auto resolved = tree.resolve(place);
    if (resolved && is_program(tree, *resolved)) result.push_back(place);
  }
  return result;
}

std::string wrapper_script(const PackageTree& tree, const Application& application, const ImportRules& rules,
                           const std::string& place) {
  const std::string root = tree_path(application);
  std::string script;
  std::set<std::string> set_already;
  for (const auto& variable : rules.variables) {
    if (!variable.programs.empty() && !is_one_of(variable.programs, place)) continue;
    std::vector<std::string> paths;
    for (const std::string& pattern : variable.places) {
      const bool slash = pattern.ends_with('/');
      for (const std::string& there : tree.matching(pattern.substr(0, pattern.size() - (slash ? 1 : 0))))
        paths.push_back(root + "/" + there + (slash ? "/" : ""));
    }
    if (paths.empty() || !set_already.insert(variable.name).second) continue;
    using Mode = ImportRules::Variable::Mode;
    if (variable.mode == Mode::append) {
      std::string value = fmt::format("\"${{{0}:+${0}:}}", variable.name);
      for (const std::string& there : variable.environment)
        value += fmt::format("${{FLOX_ENV:+$FLOX_ENV/{}:}}", there);
      script += fmt::format("export {}={}\"{}\n", variable.name, value,
                            shell_word(fmt::format("{}", fmt::join(paths, ":"))));
    } else if (variable.mode == Mode::set) {
      script += fmt::format("export {}={}\n", variable.name, shell_word(paths.front()));
    } else {
      script += fmt::format("[ -n \"${{{0}+set}}\" ] || {0}={1}\nexport {0}\n", variable.name,
                            shell_word(paths.front()));
    }
  }
  const std::string arguments = arguments_for(rules, root, place);
  const auto resolved = tree.resolve(place);
  const auto found = resolved ? tree.entries().find(*resolved) : tree.entries().end();
  const bool calls_others = found != tree.entries().end() && found->second.kind == Kind::script;
  if (script.empty() && arguments.empty() && !calls_others) return {};
  // The programs around it are there for it, behind those that the user has.
  script += fmt::format("export PATH=\"${{PATH:+$PATH:}}\"{}\n", shell_word(root + "/bin:" + root + "/sbin"));
  return fmt::format("#!{}\n{}exec {} {}\"$@\"\n", application.shell, script, shell_word(root + "/" + place),
                     arguments);
}

bool is_piece_itself(const PackageTree& tree, const Application& application, const ImportRules& rules) {
  if (tree.pieces().size() != 1) return false;
  for (const auto& [place, entry] : tree.entries()) {
    if (entry.kind != Kind::file && entry.kind != Kind::link) return false;
    if (place.starts_with("sbin/") || place.starts_with("games/")) return false;
  }
  for (const std::string& place : own_programs(tree, application))
    if (!wrapper_script(tree, application, rules, place).empty()) return false;
  return true;
}

void write_application(const PackageTree& tree, const Application& application, const ImportRules& rules,
                       const Directory& out) {
  Writer(tree, application, rules).write_tree(out.make_directory(tree_place(application)));
  const auto programs = own_programs(tree, application);
  const std::set<std::string> more = programs.empty() ? modules_around(tree, rules) : std::set<std::string>();
  Writer(tree, application, rules).write_own(out, more);
  if (programs.empty()) return;
  // One directory for all programs: environments put bin into PATH.
  const Directory bin = out.make_directory("bin");
  for (const std::string& place : programs) {
    const std::string name = name_part(place);
    if (bin.exists(name)) continue;
    const std::string wrapper = wrapper_script(tree, application, rules, place);
    if (wrapper.empty() || application.shell.empty())
      bin.make_link(name, "../" + tree_place(application) + "/" + place);
    else
      bin.create_file(name, wrapper, 0755);
  }
}

}  // namespace flox::package
