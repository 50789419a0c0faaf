// flox catalog serve: a catalog of one's own, ready to publish to.
#include <fcntl.h>
#include <signal.h>

#include <memory>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/os/private_directory.h"
#include "base/os/process.h"
#include "base/printable.h"
#include "base/settings/address.h"
#include "base/settings/read.h"
#include "catalog/readiness.h"
#include "cli/catalog/commands.h"
#include "cli/catalog/own_catalog.h"
#include "cli/other_program.h"
#include "cli/questions.h"
#include "cli/say.h"
#include "node/floxd/config.h"
#include "trust/names.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* default_address = "http://127.0.0.1:";
constexpr uint16_t default_port = 8590;
constexpr size_t most_port = 16;       // bytes of the file of the port
constexpr size_t most_log_end = 4096;  // bytes of the log that are looked at

struct CatalogServeOptions {
  std::string directory, owner;
  std::optional<uint16_t> port;
  bool write_config = false;
  bool asks = true;
};

fs::path directory_of(const CatalogServeOptions& options) {
  if (!options.directory.empty()) return options.directory;
  if (const auto data = user_directory("XDG_DATA_HOME", ".local/share")) return *data / "catalog";
  throw Error(ErrorKind::invalid_input, "neither XDG_DATA_HOME nor HOME says where the catalog is to be",
              "Name a directory with --dir.");
}

// As before, unless the command line says something else.
uint16_t port_of(const CatalogServeOptions& options, const OwnCatalog& own) {
  if (options.port) return *options.port;
  const std::string& url = own.known_url();
  if (!url.starts_with(default_address)) return default_port;
  const auto known = in_context(own.file("config.toml").string(), [&] {
    return AddressPort::parse(url.substr(std::string("http://").size()));
  });
  return known.port;
}

std::string owner_of(const CatalogServeOptions& options, const OwnCatalog& own) {
  const std::string& known = own.known_owner();
  if (!known.empty() && !options.owner.empty() && options.owner != known)
    throw Error(ErrorKind::conflict,
                fmt::format("the catalog in {} is {}'s, not {}'s", own.file(".").parent_path().string(),
                            known, options.owner),
                "Leave --owner out, or name another directory with --dir.");
  const std::string owner = !known.empty() ? known : !options.owner.empty() ? options.owner : "me";
  trust::check_owner(owner);
  return owner;
}

// What flox-catalog said last, of a log that was so long before it started.
std::string last_error(const fs::path& log, uintmax_t before) {
  const Directory directory(log.parent_path());
  const Fd fd = directory.open(log.filename().string(), O_RDONLY);
  const auto size = static_cast<uintmax_t>(std::max<off_t>(::lseek(fd.get(), 0, SEEK_END), 0));
  const uintmax_t from = std::max(before, size > most_log_end ? size - most_log_end : 0);
  ::lseek(fd.get(), static_cast<off_t>(from), SEEK_SET);
  std::string text(most_log_end, '\0');
  text.resize(read_some(fd.get(), text.data(), text.size()));
  constexpr std::string_view mark = "ERROR: ";
  const size_t at = text.rfind(mark);
  if (at == std::string::npos) return "it ended by itself";
  text = text.substr(at + mark.size());
  return printable(text.substr(0, text.find('\n')), most_log_end);
}

// flox-catalog on the directory, stopped when the object goes.
class ServingProcess {
 public:
  ServingProcess(const OwnCatalog& own, uint16_t port)
      : log_(own.file("catalog.log")),
        port_file_(own.file("port")),
        log_before_(fs::exists(log_) ? fs::file_size(log_) : 0),
        process_(start(own, port)) {}

  // Its URL, once it serves. Throws Error if it ends before.
  std::string url() {
    while (!fs::exists(port_file_)) require_running(std::chrono::milliseconds(20));
    std::string port = read_file(port_file_, most_port);
    while (!port.empty() && port.back() == '\n') port.pop_back();
    std::string url = default_address + port;
    while (!catalog::ask_readiness(url, std::chrono::seconds(10)).is_ready())
      require_running(std::chrono::milliseconds(100));
    return url;
  }
  // Until a signal asks for its end: SIGINT, SIGTERM or SIGHUP, each of which is passed on as SIGTERM. Throws
  // Error if it ends by itself.
  void wait_for_end() {
    sigset_t ends;
    ::sigemptyset(&ends);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) ::sigaddset(&ends, signal);
    ::sigprocmask(SIG_BLOCK, &ends, nullptr);
    bool asked = false;
    for (;;) {
      if (const auto code = process_.wait_for(std::chrono::milliseconds(0))) {
        if (!asked) fail_ended();
        return;
      }
      if (::sigwaitinfo(&ends, nullptr) != SIGCHLD) {
        asked = true;
        process_.kill(SIGTERM);
      }
    }
  }

 private:
  Process start(const OwnCatalog& own, uint16_t port) const {
    std::error_code none;
    fs::remove(port_file_, none);
    const Directory directory(log_.parent_path());
    const Fd log = directory.open(log_.filename().string(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    return {{.argv = {find_program("flox-catalog"), "--listen", fmt::format("127.0.0.1:{}", port), "--data",
                      own.file("data"), "--token-file", own.file("token"), "--trusted-key", own.public_key(),
                      "--port-file", port_file_},
             .is_ours_alone = true},
            {.out = log.get(), .err = log.get()}};
  }
  void require_running(std::chrono::milliseconds pause) {
    if (process_.wait_for(pause)) fail_ended();
  }
  [[noreturn]] void fail_ended() const {
    const std::string why = last_error(log_, log_before_);
    throw Error(ErrorKind::unavailable, "serving the catalog: " + why,
                why.find("in use") != std::string::npos
                    ? "Name another port with --port, or 0 for any that is free."
                    : fmt::format("Read {}.", log_.string()));
  }

  fs::path log_, port_file_;
  uintmax_t log_before_;  // bytes
  Process process_;
};

// Which of the user's settings would say something else from then on.
std::vector<std::string> replaced(const std::vector<SettingChange>& changes) {
  Config now = Config::load(), then;
  std::vector<std::string> keys;
  for (const SettingGroup* group : now.groups())
    for (const Setting& setting : group->settings())
      for (const SettingChange& change : changes) {
        if (setting.key != change.key || setting.text() == setting.fallback) continue;
        const Setting& wanted = known_setting(then.groups(), change.key);
        wanted.set_from_text(*change.value);
        if (wanted.text() != setting.text()) keys.push_back(setting.key);
      }
  return keys;
}

void offer_config(const CatalogServeOptions& options, const std::vector<SettingChange>& changes,
                  const fs::path& own_config) {
  const fs::path file = written_config_file();
  const std::vector<std::string> keys = replaced(changes);
  const std::string replaces =
      keys.empty() ? "" : fmt::format(" (it replaces your {})", fmt::join(keys, ", "));
  const bool writes = options.write_config ||
                      (options.asks && can_ask() &&
                       says_yes(fmt::format("Write these settings to {}{}?", file.string(), replaces)));
  if (!writes) {
    say("  To use it, in another shell: export FLOX_CONFIG={}\n", own_config.string());
    return;
  }
  Config config;
  change_settings_file(file, config.groups(), changes);
  say("✔ flox uses it: its settings are in {}{}\n", file.string(), replaces);
}

void serve_catalog(const CatalogServeOptions& options) {
  OwnCatalog own(directory_of(options));
  const std::string owner = owner_of(options, own);
  ServingProcess serving(own, port_of(options, own));
  const std::string url = serving.url();
  own.set_up(url, owner);
  say("✔ The catalog runs at {}; Ctrl-C stops it\n"
      "  packages  {}\n  key       {} (public: key.pub)\n  token     {}\n  log       {}\n"
      "  owner     {}, trusted by {}\n",
      url, own.file("data").string(), own.file("key").string(), own.file("token").string(),
      own.file("catalog.log").string(), owner, own.file("trust").string());
  offer_config(options, own.settings(url, owner), own.file("config.toml"));
  fmt::print("{}\n", url);
  std::fflush(stdout);
  serving.wait_for_end();
  say("The catalog has stopped\n");
}

}  // namespace

void add_catalog_serve(CLI::App& catalog) {
  auto options = std::make_shared<CatalogServeOptions>();
  auto* command = catalog.add_subcommand("serve", "Run a catalog of your own, ready to publish to");
  command->add_option(
      "--dir", options->directory,
      "directory of the catalog, its key and its token (default: ~/.local/share/flox/catalog)");
  command->add_option("--port", options->port,
                      "port on 127.0.0.1; 0: any that is free (default: as before, 8590 at first)");
  command->add_option("--owner", options->owner,
                      "whose packages you publish (default: as before, 'me' at first)");
  auto* writes = command->add_flag("--write-config", options->write_config,
                                   "write the settings to your configuration without asking");
  command->add_flag("!--no-write-config", options->asks, "neither write them nor ask")->excludes(writes);
  command->footer(
      "Examples:\n  flox catalog serve\n  flox catalog serve --write-config\n\n"
      "What is missing is made: a key that signs packages, a token that lets you publish, and an owner whom\n"
      "this machine trusts. Once all is ready, one line with the catalog's URL is printed. Served again, it "
      "is\n"
      "the same catalog. Only this machine reaches it; a catalog for others: flox-catalog.");
  command->callback([options] { serve_catalog(*options); });
}

}  // namespace flox::cli
