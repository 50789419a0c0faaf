#include "node/runtime_closure.h"

#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "package/relocate_tree.h"

namespace flox::node {
namespace {

fs::path busybox() {
  for (fs::path path : {"/bin/busybox", "/usr/bin/busybox"})
    if (fs::exists(path)) return path;
  throw Error(ErrorKind::not_found, "busybox is not on this machine", "install the Debian package busybox-static");
}

fs::path root_link(const store::LocalStore& store) { return store.state_directory() / "gcroots/flox-runtime"; }

void add_applets(const fs::path& bin, const fs::path& program) {
  std::istringstream names(run_checked({.argv = {program, "--list"}}));
  for (std::string name; std::getline(names, name);)
    if (!fs::exists(fs::symlink_status(bin / name))) fs::create_symlink("busybox", bin / name);
}

}  // namespace

nix::StorePath build_runtime(store::LocalStore& store, const std::function<void(std::string_view)>& on_step) {
  return in_context("building the runtime closure", [&] {
    TempDir tree("flox-runtime-");
    fs::path bin = tree.path() / "bin";
    fs::create_directories(bin);
    fs::copy_file(fs::read_symlink("/proc/self/exe"), bin / "flox");
    fs::copy_file(busybox(), bin / "busybox");
    add_applets(bin, bin / "busybox");
    if (fs::path bundle = "/etc/ssl/certs/ca-certificates.crt"; fs::exists(bundle)) {
      fs::create_directories(tree.path() / "etc/ssl/certs");
      fs::copy_file(bundle, tree.path() / "etc/ssl/certs/ca-certificates.crt");
    }
    package::RelocateOptions options;
    options.debian.on_step = on_step;
    nix::StorePath path = package::relocate_tree(store, tree.path(), "flox-runtime-" FLOX_VERSION, options).path;
    fs::path temporary = root_link(store).string() + ".new";
    fs::remove(temporary);
    fs::create_symlink(path.to_string(), temporary);
    fs::rename(temporary, root_link(store));
    return path;
  });
}

nix::StorePath current_runtime(const store::LocalStore& store) {
  std::error_code error;
  fs::path target = fs::read_symlink(root_link(store), error);
  if (error)
    throw Error(ErrorKind::not_found, fmt::format("the store below {} has no runtime closure", store.root().string()),
                fmt::format("make it with: flox --root {} node runtime", store.root().string()));
  return nix::StorePath::parse(target.string());
}

}  // namespace flox::node
