// flox store ls, flox store cat: the files of a path.
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "base/error.h"
#include "base/os/fd.h"
#include "cli/store/commands.h"
#include "nix/listing.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string path;
  bool recursive = false;
  bool long_form = false;
  bool json = false;
};

constexpr int most_links = 40;  // followed one after the other, as in the kernel

// Where the files of /nix/store/…/x are; the store path itself must be valid.
fs::path real_path(const store::LocalStore& store, const std::string& path) {
  const nix::StorePath base = nix::StorePath::containing(path);
  info_of(store, base);
  return store.real_path(base) / fs::path(path).lexically_relative(base.to_string());
}

// The path with its first symlink replaced by what it leads to; nothing if there is none.
std::optional<std::string> without_first_link(const store::LocalStore& store, const std::string& path) {
  const std::string base = nix::StorePath::containing(path).to_string();
  const fs::path inside = fs::path(path).lexically_relative(base);
  fs::path logical = base;
  for (auto part = inside.begin();; ++part) {
    const fs::path real = real_path(store, logical);
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
    if (!next) return real_path(store, path);
    path = *next;
  }
  fail(ErrorKind::invalid_input, "{}: too many symlinks", path);
}

void print_line(const nix::Listing& listing, const std::string& name, bool long_form) {
  using Type = nix::Listing::Type;
  if (!long_form) {
    fmt::print("{}{}\n", name, listing.type == Type::directory ? "/" : "");
    return;
  }
  const char* kind = listing.type == Type::directory ? "dr-xr-xr-x"
                     : listing.type == Type::symlink ? "lrwxrwxrwx"
                     : listing.executable            ? "-r-xr-xr-x"
                                                     : "-r--r--r--";
  fmt::print("{} {:>12} {}{}\n", kind, listing.size, name,
             listing.type == Type::symlink ? " -> " + listing.target : "");
}

void print_tree(const nix::Listing& listing, const std::string& prefix, const Options& options) {
  for (const auto& [name, child] : listing.entries) {
    print_line(child, prefix + name, options.long_form);
    if (options.recursive) print_tree(child, prefix + name + "/", options);
  }
}

void list(const Options& options) {
  const store::LocalStore store = open_store(Config::load());
  const fs::path real = real_path(store, options.path);
  if (fs::symlink_status(real).type() == fs::file_type::not_found)
    fail(ErrorKind::not_found, "there is no {}", options.path);
  const nix::Listing listing = nix::list_tree(real);
  if (options.json)
    fmt::print("{}\n", listing.to_json());
  else if (listing.type == nix::Listing::Type::directory)
    print_tree(listing, "", options);
  else
    print_line(listing, options.path, options.long_form);
}

void cat(const Options& options) {
  const store::LocalStore store = open_store(Config::load());
  const fs::path real = follow(store, options.path);
  if (fs::is_directory(real))
    throw Error(ErrorKind::invalid_input, fmt::format("{} is a directory", options.path),
                fmt::format("See what is in it: flox store ls {}", options.path));
  const Fd fd = open_file(real, O_RDONLY | O_NOFOLLOW);
  std::string buffer(256 * 1024, '\0');
  while (const size_t size = read_some(fd.get(), buffer.data(), buffer.size()))
    write_all(STDOUT_FILENO, {buffer.data(), size});
}

}  // namespace

void add_store_files(CLI::App& store) {
  auto options = std::make_shared<Options>();
  auto* command = store.add_subcommand("ls", "List what is in a path, or below it");
  command->add_option("PATH", options->path, "/nix/store/…")->required();
  command->add_flag("-R,--recursive", options->recursive, "directories in directories, too");
  command->add_flag("-l,--long", options->long_form, "modes and sizes, too");
  command->add_flag("--json", options->json,
                    "everything below it, in the form of binary caches' .ls files (narOffset counts from "
                    "the beginning of this very listing's NAR)");
  command->footer("Example:\n  flox store ls -lR /nix/store/…-web/bin");
  command->callback([options] { list(*options); });

  auto* cat_command = store.add_subcommand("cat", "Print a file of the store");
  cat_command->add_option("FILE", options->path, "/nix/store/…/…")->required();
  cat_command->footer("Example:\n  flox store cat /nix/store/…-web/share/doc/README");
  cat_command->callback([options] { cat(*options); });
}

}  // namespace flox::cli
