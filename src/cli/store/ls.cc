// flox store ls: lists the files of a store path.
#include <memory>

#include "base/error.h"
#include "cli/store/commands.h"
#include "nix/listing.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

struct StoreLsOptions {
  std::string path;
  bool recursive = false;
  bool long_form = false;
  bool json = false;
};

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

void print_tree(const nix::Listing& listing, const std::string& prefix, const StoreLsOptions& options) {
  for (const auto& [name, child] : listing.entries) {
    print_line(child, prefix + name, options.long_form);
    if (options.recursive) print_tree(child, prefix + name + "/", options);
  }
}

void list(const StoreLsOptions& options) {
  const store::LocalStore store = open_store(Config::load());
  const fs::path real = real_path_of(store, options.path);
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

}  // namespace

void add_store_ls(CLI::App& store) {
  auto options = std::make_shared<StoreLsOptions>();
  auto* command = store.add_subcommand("ls", "List the files of a store path");
  command->add_option("PATH", options->path, "/nix/store/…, or a directory in it")->required();
  command->add_flag("-R,--recursive", options->recursive, "list subdirectories too");
  command->add_flag("-l,--long", options->long_form, "print modes and sizes (bytes) too");
  command->add_flag(
      "--json", options->json,
      "print JSON in the form of a binary cache's .ls file (narOffset is in bytes from the begin "
      "of the NAR of PATH)");
  command->footer("Example:\n  flox store ls -lR /nix/store/…-web/bin");
  command->callback([options] { list(*options); });
}

}  // namespace flox::cli
