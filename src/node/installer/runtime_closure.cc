#include "node/installer/runtime_closure.h"

#include <sstream>

#include "base/error.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "package/debian/relocate_tree.h"
#include "store/local/named_root.h"

namespace flox::node {
namespace {

constexpr const char* root_name = "flox-runtime";

// A program of this machine that the runtime is made with.
fs::path host_program(const std::string& name, std::string_view debian_package) {
  for (fs::path directory : {"/bin", "/usr/bin"})
    if (fs::exists(directory / name)) return directory / name;
  throw Error(ErrorKind::not_found, fmt::format("{} is not on this machine", name),
              fmt::format("Install the Debian package {}.", debian_package));
}

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
    fs::copy_file(host_program("busybox", "busybox-static"), bin / "busybox");
    // Debian's busybox has no pgrep, which the guide's probes call.
    fs::copy_file(host_program("pgrep", "procps"), bin / "pgrep");
    fs::create_symlink("pgrep", bin / "pkill");
    add_applets(bin, bin / "busybox");
    if (fs::path bundle = "/etc/ssl/certs/ca-certificates.crt"; fs::exists(bundle)) {
      fs::create_directories(tree.path() / "etc/ssl/certs");
      fs::copy_file(bundle, tree.path() / "etc/ssl/certs/ca-certificates.crt");
    }
    package::RelocateOptions options;
    options.debian.on_step = on_step;
    nix::StorePath path =
        package::relocate_tree(store, tree.path(), "flox-runtime-" FLOX_VERSION, options).path;
    store::set_named_root(store, root_name, path);
    return path;
  });
}

nix::StorePath current_runtime(const store::LocalStore& store) {
  if (auto runtime = store::named_root(store, root_name)) return *std::move(runtime);
  throw Error(ErrorKind::not_found,
              fmt::format("the store below {} has no runtime closure", store.root().string()),
              fmt::format("Run 'flox --root {} node runtime' to build it.", store.root().string()));
}

}  // namespace flox::node
