// flox containerize: an environment as an OCI image, for where there must be one.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "base/os/unfinished_file.h"
#include "base/printable.h"
#include "cli/commands.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/remote_environment.h"
#include "cli/say.h"
#include "env/activation.h"
#include "env/container_config.h"
#include "node/floxd/config.h"
#include "node/installer/runtime_closure.h"
#include "oci/closure/closure_image.h"
#include "oci/closure/layers.h"
#include "oci/image_layout.h"
#include "store/local/local_store.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* first_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct ContainerizeOptions {
  std::string directory = ".", reference, file, runtime, name, tag = "latest", mode = "run", tools;
  std::vector<std::string> labels;
  bool json = false;
};

// As repositories and tags of images are written (OCI distribution specification).
void check_name(const std::string& name) {
  const auto fits = [](unsigned char c) { return std::islower(c) != 0 || std::isdigit(c) != 0; };
  const bool is_name =
      !name.empty() && name.size() <= 128 && fits(static_cast<unsigned char>(name.front())) &&
      fits(static_cast<unsigned char>(name.back())) && std::ranges::all_of(name, [&](unsigned char c) {
        return fits(c) || c == '-' || c == '_' || c == '.' || c == '/';
      });
  if (!is_name)
    throw Error(ErrorKind::invalid_input,
                fmt::format("'{}' cannot be the name of an image", printable(name, 130)),
                "Name it with --name: lower-case letters, digits, and - _ . / between them.");
}
void check_tag(const std::string& tag) {
  const bool is_tag = !tag.empty() && tag.size() <= 128 && tag.front() != '-' && tag.front() != '.' &&
                      std::ranges::all_of(tag, [](unsigned char c) {
                        return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
                      });
  if (!is_tag)
    fail_usage(fmt::format("--tag: '{}' cannot be the tag of an image", printable(tag, 130)),
               "Write letters, digits, and - _ . between them.");
}

void check_user(const std::string& name) {
  const bool fits = name.size() <= 32 && std::ranges::all_of(name, [](unsigned char c) {
                      return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '-' || c == '_';
                    });
  if (!fits)
    fail(ErrorKind::invalid_input, "containerize.config.user: '{}' cannot be the name of a user",
         printable(name, 50));
}

// "KEY=VALUE", each once.
std::map<std::string, std::string> labels_in(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> labels;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      fail_usage(fmt::format("--label: '{}' is not KEY=VALUE", printable(text, 130)));
    if (!labels.emplace(text.substr(0, equals), text.substr(equals + 1)).second)
      fail_usage(fmt::format("--label: '{}' has two values", printable(text.substr(0, equals), 130)));
  }
  return labels;
}

// A store path that 'flox node runtime' made somewhere: of a package, or named itself.
nix::StorePath named_tools(store::LocalStore& store, const std::string& text) {
  const bool is_path = text.starts_with(std::string(nix::store_dir) + "/");
  nix::StorePathSet paths;
  if (is_path) {
    paths = {nix::StorePath::parse(text)};
  } else {
    const env::NamedPackage named = env::parse_package(text);
    paths = make_resolver()->resolve(named.install_id, named.descriptor, env::current_system()).store_paths();
  }
  make_present(store, paths);
  const Directory files(store.store_directory());
  if (paths.size() != 1 || !files.exists(paths.begin()->base_name() + "/bin/flox") ||
      !files.exists(paths.begin()->base_name() + "/bin/sh"))
    throw Error(ErrorKind::invalid_input,
                fmt::format("--tools: {} has not flox and a shell in bin", printable(text, 200)),
                "Name what 'flox node runtime' made, or a package that was published from it.");
  return *paths.begin();
}

// flox with the few tools that pods have: what was named, or that of the node, or else made of this machine's
// programs, which are others on other machines.
nix::StorePath tools_of(store::LocalStore& store, const std::string& named) {
  if (!named.empty()) return in_context("the image's tools", [&] { return named_tools(store, named); });
  try {
    const nix::StorePath runtime = node::current_runtime(store);
    if (store.is_valid(runtime)) return runtime;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
  }
  return node::build_runtime(store, [](std::string_view) {});
}

// Names of users are looked up in the image: one that is no number gets an entry, as user and group 1000.
oci::ImageRoot root_of(const std::string& runtime, const std::string& user) {
  const std::string certificates = "etc/ssl/certs/ca-certificates.crt";
  std::string passwd = "root:x:0:0:root:/root:/bin/sh\n", group = "root:x:0:\n";
  const std::string name = user.substr(0, user.find(':'));
  const bool is_name = std::ranges::any_of(name, [](unsigned char c) { return std::isdigit(c) == 0; });
  if (is_name && name != "root" && name != "nobody") {
    check_user(name);
    passwd += fmt::format("{0}:x:1000:1000:{0}:/tmp:/bin/sh\n", name);
    group += fmt::format("{}:x:1000:\n", name);
  }
  passwd += "nobody:x:65534:65534:nobody:/:/bin/false\n";
  group += "nogroup:x:65534:\n";
  return {.files = {{"etc/passwd", passwd}, {"etc/group", group}},
          .links = {{"bin", runtime + "/bin"},
                    {"usr/bin", runtime + "/bin"},
                    {certificates, runtime + "/" + certificates}},
          .directories = {{"root", 0700}, {"tmp", 01777}}};
}

std::vector<std::string> variables_in(const env::Environment& environment, const store::LocalStore& store,
                                      const nix::StorePath& profile, const std::string& mode) {
  const env::Activation activation = env::activate({.name = environment.name(),
                                                    .profile_link = profile.to_string(),
                                                    .profile = store.real_path(profile),
                                                    .project = {},
                                                    .cache = "/tmp",
                                                    .mode = mode,
                                                    .environment = {{"PATH", first_path}}});
  env::Variables variables = activation.environment;
  // The entry point says so once it has activated; here it would name the place of this machine's store.
  variables.erase("_FLOX_ACTIVE_ENVIRONMENTS");
  return exec_entries(variables);
}

oci::ClosureImage image_of(const ContainerizeOptions& options, const env::Environment& environment,
                           const std::map<std::string, std::string>& labels, const nix::StorePath& runtime,
                           store::LocalStore& store) {
  auto resolver = make_resolver();
  const env::Lockfile lock = lock_to_read(environment, *resolver);
  env::ContainerConfig config = env::container_config(lock.manifest);
  const nix::StorePath profile = present_profile(environment, lock, options.mode, "flox containerize");
  std::vector<nix::PathInfo> closure;
  for (const nix::StorePath& path : store.closure({profile, runtime})) closure.push_back(*store.query(path));
  if (config.command.empty()) config.command = {"/bin/sh"};
  for (const auto& [key, value] : labels) config.labels[key] = value;
  return {.name = options.name.empty() ? environment.name() : options.name,
          .tag = options.tag,
          .architecture = oci::current_architecture(),
          .settings = {.env = variables_in(environment, store, profile, options.mode),
                       .entrypoint = {runtime.to_string() + "/bin/flox", "--flox-inside", profile.to_string(),
                                      options.mode},
                       .command = config.command,
                       .user = config.user,
                       .working_directory = config.working_directory,
                       .stop_signal = config.stop_signal,
                       .exposed_ports = config.exposed_ports,
                       .volumes = config.volumes,
                       .labels = config.labels},
          .root = root_of(runtime.to_string(), config.user),
          .layers = oci::layers_of(closure, profile)};
}

using Write = std::function<oci::WrittenImage(const std::function<void(std::string_view)>& sink)>;

oci::WrittenImage to_file(const fs::path& file, const Write& write) {
  const Directory directory(flox::directory_of(file));
  const std::string name = file_name(file.filename().string(), "the image's file");
  if (const auto there = directory.status(name);
      there && !S_ISREG(there->st_mode) && !S_ISLNK(there->st_mode))
    throw Error(ErrorKind::conflict, "it is there already, and no ordinary file",
                "Name another file, or write to standard output with --file -.");
  UnfinishedFile unfinished(directory, name, 0666);
  auto written = write([&](std::string_view bytes) { write_all(unfinished.fd(), bytes); });
  unfinished.replace();
  return written;
}

oci::WrittenImage to_runtime(const std::string& runtime, const Write& write) {
  Pipe pipe = make_pipe();
  Process load({.argv = {runtime, "load"}}, {.in = pipe.read_end.get(), .out = STDERR_FILENO});
  pipe.read_end.reset();
  ::signal(SIGPIPE, SIG_IGN);  // a runtime that ends early says why itself
  std::optional<oci::WrittenImage> written;
  std::optional<Error> broken;
  try {
    written = write([&](std::string_view bytes) { write_all(pipe.write_end.get(), bytes); });
  } catch (const Error& error) {
    broken = error;
  }
  pipe.write_end.reset();
  const int code = load.wait();
  if (code != 0)
    throw Error(ErrorKind::unavailable,
                fmt::format("loading the image: {} load ended with {}", runtime, code),
                "It has said why. Write the image to a file with --file, if there is no such runtime here.");
  if (broken) throw Error(*broken);
  return *written;
}

void containerize(ContainerizeOptions options) {
  if (options.mode != "dev" && options.mode != "run")
    fail_usage(fmt::format("--mode: '{}' is neither dev nor run", printable(options.mode, 50)));
  check_tag(options.tag);
  const std::map<std::string, std::string> labels = labels_in(options.labels);
  if (options.file == "-" && options.json)
    fail_usage("--file - and --json both write to standard output", "Name a file.");
  if (options.file == "-" && ::isatty(STDOUT_FILENO) != 0)
    fail_usage("--file -: standard output is a terminal", "Redirect it, or name a file.");
  const env::Environment environment = options.reference.empty()
                                           ? env::Environment::find(options.directory)
                                           : remote_environment(options.reference, options.directory, 0);
  check_name(options.name.empty() ? environment.name() : options.name);
  store::LocalStore store(Config::load().root);
  const nix::StorePath tools = tools_of(store, options.tools);
  const oci::ClosureImage image = image_of(options, environment, labels, tools, store);
  store::LocalStore& from = store;
  const Write write = [&](const auto& sink) { return oci::write_closure_image(from, image, sink); };
  if (options.file.empty() && options.runtime.empty()) {
    options.file = environment.name() + "-container.tar";
    std::ranges::replace(options.file, '/', '-');
  }
  const std::string where = !options.runtime.empty() ? options.runtime
                            : options.file == "-"    ? "standard output"
                                                     : options.file;
  const oci::WrittenImage written = in_context("writing the image to " + where, [&] {
    if (!options.runtime.empty()) return to_runtime(options.runtime, write);
    if (options.file == "-") return write([](std::string_view bytes) { write_all(STDOUT_FILENO, bytes); });
    return to_file(options.file, write);
  });
  if (options.json)
    fmt::print("{}\n", nlohmann::json{{"name", image.name},
                                      {"tag", image.tag},
                                      {"digest", written.digest},
                                      {"tools", tools.to_string()},
                                      {"layers", written.layers},
                                      {"bytes", written.bytes},
                                      {"written_to", where}}
                           .dump(2));
  say("✔ {}:{} is in {}: {} layers, {:.1f} MB, {}\n", image.name, image.tag, where, written.layers,
      static_cast<double>(written.bytes) / 1e6, written.digest);
}

}  // namespace

void add_containerize(CLI::App& app) {
  auto options = std::make_shared<ContainerizeOptions>();
  auto* command = app.add_subcommand("containerize", "Write an environment as a container image");
  add_directory(*command, options->directory);
  add_reference(*command, options->reference);
  auto* file = command->add_option("-f,--file", options->file,
                                   "file for the archive; -: standard output (default: NAME-container.tar)");
  command->add_option("--runtime", options->runtime, "give it to this runtime instead")
      ->check(CLI::IsMember({"docker", "podman"}))
      ->excludes(file);
  command->add_option("--name", options->name, "name of the image (default: the environment's)");
  command->add_option("--tag", options->tag, "its tag (default: latest)");
  command
      ->add_option("--label", options->labels,
                   "label of the image, over the manifest's of the same key; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_option("--tools", options->tools,
                      "package or store path with flox and the tools that the image gets (default: this "
                      "machine's)");
  command->add_option("-m,--mode", options->mode,
                      "dev: with search paths for compilers; run: without (default: run)");
  add_json(*command, options->json);
  command->footer(
      "The image has the environment's closure, in layers that other images share, and activates it: its "
      "command\n"
      "runs as with flox activate. What it says else stands in [containerize.config] of the manifest. The "
      "archive\n"
      "is an OCI layout that docker, podman and containerd load. The same closure and the same tools give "
      "the "
      "same\n"
      "bytes on any machine; without --tools the tools are made of this machine's programs.\n\n"
      "Examples:\n  flox containerize\n  flox containerize -f - | ctr images import -\n"
      "  flox containerize -r acme/web:3\n"
      "  flox containerize --runtime docker && docker run --rm web\n"
      "  flox containerize --tools flox-tools@1.0");
  command->callback([options] { containerize(*options); });
}

}  // namespace flox::cli
