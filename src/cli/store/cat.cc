// flox store cat: prints a file of the store.
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "base/error.h"
#include "base/os/fd.h"
#include "cli/store/commands.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

constexpr int most_links = 40;  // that are followed, as in the kernel

// The path with its first symlink replaced by what it leads to; nothing if there is none.
std::optional<std::string> without_first_link(const store::LocalStore& store, const std::string& path) {
  const std::string base = nix::StorePath::containing(path).to_string();
  const fs::path inside = fs::path(path).lexically_relative(base);
  fs::path logical = base;
  for (auto part = inside.begin();; ++part) {
    const fs::path real = real_path_of(store, logical);
    if (fs::is_symlink(fs::symlink_status(real))) {
      fs::path target = logical.parent_path() / fs::read_symlink(real);
      for (; part != inside.end(); ++part) target /= *part;
      return target.lexically_normal();
    }
    if (part == inside.end()) return std::nullopt;
    logical = (logical / *part).lexically_normal();
  }
}

// Where a program that sees the store at /nix/store would end.
fs::path follow(const store::LocalStore& store, std::string path) {
  for (int links = 0; links < most_links; ++links) {
    const std::optional<std::string> next = without_first_link(store, path);
    if (!next) return real_path_of(store, path);
    path = *next;
  }
  fail(ErrorKind::invalid_input, "{}: too many symlinks", path);
}

void print_file(const std::string& path) {
  const store::LocalStore store = open_store(Config::load());
  const fs::path real = follow(store, path);
  if (fs::is_directory(real))
    throw Error(ErrorKind::invalid_input, fmt::format("{} is a directory", path),
                fmt::format("Run 'flox store ls {}' to see what is in it.", path));
  const Fd fd = open_file(real, O_RDONLY | O_NOFOLLOW);
  std::string buffer(256 * 1024, '\0');
  while (const size_t size = read_some(fd.get(), buffer.data(), buffer.size()))
    in_context("writing to standard output", [&] { write_all(STDOUT_FILENO, {buffer.data(), size}); });
}

}  // namespace

void add_store_cat(CLI::App& store) {
  auto path = std::make_shared<std::string>();
  auto* command = store.add_subcommand("cat", "Print a file of the store");
  command->add_option("FILE", *path, "/nix/store/…/…")->required();
  command->footer("Example:\n  flox store cat /nix/store/…-web/share/doc/README");
  command->callback([path] { print_file(*path); });
}

}  // namespace flox::cli
