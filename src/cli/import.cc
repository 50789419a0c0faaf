// flox import deb: Debian packages as store paths, and into the catalog.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/config.h"
#include "base/error.h"
#include "base/file.h"
#include "catalog/publish.h"
#include "cli/commands.h"
#include "package/import_deb.h"
#include "package/steps.h"

namespace flox::cli {
namespace {

struct Options {
  std::vector<std::string> names;
  bool json = false;
  bool quiet = false;
  bool publish = false;
  std::string catalog_url;  // these override the configuration
  std::string token;
  std::string key_file;
};

// What publishing needs, checked before anything is imported.
class Publisher {
 public:
  Publisher(const Config& config, const Options& options)
      : Publisher(first_of(options.catalog_url, config.catalog_url),
                  first_of(options.token, config.catalog_token),
                  first_of(options.key_file, config.signing_key_file)) {}

  catalog::PackageBuild operator()(const store::LocalStore& store, const catalog::PackageBuild& build) {
    return catalog::publish(store, build, client_, *cache_, key_).build;
  }

 private:
  static std::string first_of(const std::string& a, const std::string& b) { return a.empty() ? b : a; }
  Publisher(const std::string& url, const std::string& token, const std::string& key_file)
      : client_(needed(url, "catalog", "Give its URL with --catalog or FLOX_CATALOG_URL."), token),
        cache_(store::BinaryCache::open(client_.cache_url(), token)),
        key_(nix::SecretKey::parse(trimmed(
            read_file(needed(key_file, "signing key",
                             "Give its file with --signing-private-key or FLOX_SIGNING_PRIVATE_KEY."))))) {}

  static const std::string& needed(const std::string& value, std::string_view what, std::string advice) {
    if (value.empty())
      throw Error(ErrorKind::invalid_input, fmt::format("publishing needs a {}", what), std::move(advice));
    return value;
  }
  static std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
  }

  catalog::Client client_;
  std::unique_ptr<store::BinaryCache> cache_;
  nix::SecretKey key_;
};

std::string store_root(const CLI::App& app, const Config& config) {
  const CLI::Option* root = app.get_option_no_throw("--root");
  return root != nullptr && root->count() > 0 ? root->as<std::string>() : config.root.string();
}

void import_debs(const CLI::App& app, const Options& options) {
  package::Steps steps(options.quiet);
  Config config = Config::load();
  std::optional<Publisher> publish;
  if (options.publish) publish.emplace(config, options);
  store::LocalStore store(store_root(app, config));
  auto imported = package::import_deb(store, options.names, {.on_step = steps});
  nlohmann::json json = nlohmann::json::array();
  for (auto& package : imported) {
    auto& build = package.build;
    if (publish) {
      build = (*publish)(store, build);
      steps(fmt::format("published {} {}", build.name, build.version));
    }
    if (options.json) {
      json.push_back(build.to_json());
      json.back()["from_installed"] = package.from_installed;
    } else {
      fmt::print("{} {}  {}  {:.1f} MB with all that it needs\n", build.name, build.version,
                 build.outputs.at("out").to_string(), static_cast<double>(build.closure_size) / 1e6);
    }
  }
  if (options.json) fmt::print("{}\n", json.dump(2));
}

}  // namespace

void add_import(CLI::App& app) {
  auto* import = app.add_subcommand("import", "Make packages of another system available");
  import->require_subcommand(1);
  auto* deb = import->add_subcommand("deb", "Turn Debian packages into store paths");
  auto options = std::make_shared<Options>();
  deb->add_option("NAME", options->names, "Debian packages, as apt knows them")->required();
  deb->add_flag("--json", options->json, "Print what was imported as JSON");
  auto* publish =
      deb->add_flag("--publish", options->publish, "Sign and upload to the catalog what was imported");
  deb->add_option("--catalog", options->catalog_url, "URL of the catalog (default: the configured one)")
      ->needs(publish);
  deb->add_option("--token", options->token, "Token of the catalog (default: the configured one)")
      ->needs(publish);
  deb->add_option("--signing-private-key", options->key_file,
                  "File with the key (default: the configured one)")
      ->needs(publish);
  deb->add_flag("-q,--quiet", options->quiet, "Print no progress");
  deb->footer(
      "Each package becomes one tree with what Debian split off it, and one store path for each library that "
      "it needs.\n"
      "Examples:\n"
      "  flox import deb busybox-static\n"
      "  flox import deb python3 --publish");
  deb->callback([&app, options] { import_debs(app, *options); });
}

}  // namespace flox::cli
