#include "package/build/load_check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <vector>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/printable.h"
#include "package/build/build_command.h"
#include "package/build/build_root.h"
#include "package/elf.h"

namespace flox::package {
namespace {

constexpr unsigned longest_load = 60;  // seconds; a loader that takes longer is ended

struct Loadable {
  std::string place;                // in the tree
  std::vector<std::string> loader;  // in front of the file's path; empty: the program starts by itself
  // What whoever loads the library has loaded before: libc.so.6. Linkers leave it out of what a library needs
  // that uses none of it, and libm.so.6, say, does not say where it is.
  std::string loaded_before = {};
};

// The loader of the C library that a shared library finds beside it; empty if it finds none.
std::string loader_beside(const store::LocalStore& store, const Elf& library) {
  for (const std::string& directory : library.search_path) {
    if (!directory.starts_with(std::string(nix::store_dir) + "/")) continue;
    const fs::path real =
        store.real_path(nix::StorePath::containing(directory)) /
        fs::path(directory).lexically_relative(nix::StorePath::containing(directory).to_string());
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(real, error))
      if (const std::string name = entry.path().filename().string(); name.starts_with("ld-linux"))
        return directory + "/" + name;
  }
  return {};
}

std::vector<Loadable> loadables(const store::LocalStore& store, const fs::path& tree) {
  std::vector<Loadable> result;
  for (const auto& entry : fs::recursive_directory_iterator(tree)) {
    if (entry.symlink_status().type() != fs::file_type::regular) continue;
    const auto elf = read_elf(entry.path());
    if (!elf) continue;
    const std::string place = entry.path().lexically_relative(tree).string();
    if (entry.path().filename() == "libc.so.6") return {};
    if (!elf->interpreter.empty())
      result.push_back({.place = place, .loader = {}});
    else if (const std::string loader = loader_beside(store, *elf); !loader.empty())
      result.push_back({.place = place,
                        .loader = {loader, "--list"},
                        .loaded_before = (fs::path(loader).parent_path() / "libc.so.6").string()});
  }
  std::ranges::sort(result, {}, &Loadable::place);
  return result;
}

// What the loader prints of a program that it could not start. A library's own symbols may come from whoever
// loads it.
std::optional<std::string> complaint_in(const std::string& text, bool is_program) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" => not found") != std::string::npos)
      return "it does not find " +
             line.substr(line.find_first_not_of(" \t"), line.find(" =>") - line.find_first_not_of(" \t"));
    const bool version =
        line.find(": version `") != std::string::npos && line.find("' not found") != std::string::npos;
    if (version || (is_program && line.starts_with("undefined symbol: "))) return line;
  }
  return std::nullopt;
}

// What loading it says, if it does not load.
std::optional<std::string> trouble_loading(const fs::path& tree, const Loadable& file) {
  const Fd output(::memfd_create("output", MFD_CLOEXEC));
  const pid_t child = ::fork();
  if (child < 0) fail_errno(errno, "starting {}", file.place);
  const std::string path = (tree / file.place).string();
  if (child == 0) {
    std::vector<std::string> argv = file.loader;
    argv.push_back(path);
    std::vector<char*> pointers;
    for (std::string& argument : argv) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    std::string trace = "LD_TRACE_LOADED_OBJECTS=1", warn = "LD_WARN=1",
                preload = "LD_PRELOAD=" + file.loaded_before;
    char* environment[] = {trace.data(), warn.data(), file.loaded_before.empty() ? nullptr : preload.data(),
                           nullptr};
    ::dup2(output.get(), 1);
    ::dup2(output.get(), 2);
    ::alarm(longest_load);
    ::execve(pointers.front(), pointers.data(), environment);
    const std::string why = fmt::format("it cannot be started: {}", ::strerror(errno));
    [[maybe_unused]] ssize_t ignored = ::write(2, why.data(), why.size());
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) fail_errno(errno, "waiting for {}", file.place);
  ::lseek(output.get(), 0, SEEK_SET);
  if (WIFSIGNALED(status))
    return fmt::format("signal {} ({}) ended its loader", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  const std::string text = read_all(output.get());
  if (WEXITSTATUS(status) != 0) return text.empty() ? fmt::format("exit code {}", WEXITSTATUS(status)) : text;
  return complaint_in(text, file.loader.empty());
}

// The first that does not load, as "PLACE\nWHY".
void try_all(const fs::path& tree, const std::vector<Loadable>& files, int output) {
  for (const Loadable& file : files)
    if (const auto trouble = trouble_loading(tree, file))
      return write_all(output, file.place + "\n" + *trouble);
}

}  // namespace

void require_loadable(const store::LocalStore& store, const fs::path& tree, const std::string& own_name,
                      const nix::StorePathSet& visible) {
  const std::vector<Loadable> files = loadables(store, tree);
  if (files.empty()) return;
  const Fd output(::memfd_create("trouble", MFD_CLOEXEC));
  if (!output) fail_errno(errno, "loading what was built");
  const TempDir work("flox-load-");
  const fs::path own = fs::path(nix::store_dir) / own_name;
  const BuildRoot root{.at = work.path(),
                       .store = fs::canonical(store.root() / "nix/store"),
                       .store_paths = visible,
                       .shown = {{.from = tree, .to = own}},
                       .links = {}};
  try {
    in_context("loading what was built", [&] {
      run_apart([&] { return run_in_root(root, [&] { try_all(own, files, output.get()); }); });
    });
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable || store.root() != "/") throw;
    try_all(tree, files, output.get());
  }
  ::lseek(output.get(), 0, SEEK_SET);
  const std::string trouble = read_all(output.get());
  if (trouble.empty()) return;
  const size_t end = trouble.find('\n');
  throw Error(
      ErrorKind::invalid_input,
      fmt::format("{} does not load: {}", printable(trouble.substr(0, end)),
                  printable(trouble.substr(end + 1, 1000))),
      "Try 'ldd' on it in the build, and build it so that it finds its libraries in $out/lib or in the "
      "environment.");
}

}  // namespace flox::package
