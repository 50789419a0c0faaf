// flox trust show: who may sign what, until when, and what is missing.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/settings/units.h"
#include "cli/options.h"
#include "cli/trust/commands.h"
#include "trust/names.h"

namespace flox::cli {
namespace {

using nlohmann::json;

struct TrustShowOptions {
  std::string owner;
  bool json = false;
};

json role_json(const std::string& name, const trust::Role& role, const trust::Keys& keys) {
  json list = json::array();
  for (const std::string& id : role.keyids) list.push_back({{"id", id}, {"name", keys.at(id).name}});
  return {{"role", name}, {"threshold", role.threshold}, {"keys", list}};
}

// A file and whether it is valid now.
json file_json(const trust::Header& header, trust::Time now) {
  return {{"version", header.version},
          {"expires", trust::time_text(header.expires)},
          {"expired", now >= header.expires},
          {"expires_soon", trust::expires_soon(header, now)},
          {"days_left", trust::days_left(header, now)}};
}

// All that is known here of an owner.
json examine(trust::TrustStore& store, const std::string& owner, trust::Time now) {
  json result = {{"owner", owner}, {"trusted", store.trusts(owner)}};
  const bool kept = trust::OwnerRepository::exists(store, owner);
  if (!kept && !store.trusts(owner))
    throw Error(ErrorKind::not_found,
                fmt::format("nothing of {} is here, in {}", owner, store.directory().string()),
                fmt::format("Run '{}' to trust it, or 'flox trust init {}' to begin one.",
                            trust::accept_command(owner), owner));
  std::optional<trust::Signed<trust::Root>> root;
  if (store.trusts(owner)) {
    root = store.root(owner);
    result["packages"] = store.package_patterns(owner);
    const trust::Seen seen = store.seen(owner);
    result["seen"] = {{"timestamp", seen.timestamp}, {"targets", seen.targets}};
  }
  std::optional<trust::OwnerRepository> repository;
  if (kept) {
    repository.emplace(store, owner, trust::OwnerRepository::Use::read);
    if (!repository->roots().empty()) root = repository->root();
    json pending = json::array();
    for (const trust::SigningState& file : repository->pending())
      pending.push_back({{"file", file.path.string()},
                         {"signatures", file.signatures},
                         {"needed", file.needed},
                         {"lacking", file.lacking}});
    result["pending"] = std::move(pending);
  }
  json roles = json::array();
  if (root) {
    const trust::Root& content = root->content;
    result["fingerprint"] = trust::fingerprint_of(*root);
    result["root"] = file_json(content, now);
    roles.push_back(role_json("root", content.root, content.keys));
    roles.push_back(role_json("targets", content.targets, content.keys));
    roles.push_back(role_json("timestamp", content.timestamp, content.keys));
  }
  if (repository && !repository->roots().empty()) {
    const trust::Targets& targets = repository->targets().content;
    result["targets"] = file_json(targets, now);
    for (const trust::DelegatedRole& role : targets.roles) {
      json one = role_json(role.name, role, targets.keys);
      one["paths"] = role.paths;
      one["terminating"] = role.terminating;
      roles.push_back(std::move(one));
    }
  }
  result["roles"] = std::move(roles);
  return result;
}

std::string file_text(const json& file, const std::string& owner) {
  const bool expired = file["expired"].get<bool>();
  std::string text = fmt::format("version {}, {} {}", file["version"].get<uint64_t>(),
                                 expired ? "EXPIRED at" : "until", file["expires"].get<std::string>());
  if (file["expires_soon"].get<bool>())
    text += fmt::format("{}: run 'flox trust renew {}', then 'flox trust publish {}'",
                        expired ? "" : ", in " + count_text(file["days_left"].get<uint64_t>(), "day"), owner,
                        owner);
  return text;
}

std::string key_text(const json& key) {
  const auto id = key["id"].get<std::string>().substr(0, 8), name = key["name"].get<std::string>();
  return name.empty() ? id : fmt::format("{} ({})", name, id);
}

std::string list_text(const json& texts) {
  return fmt::format("{}", fmt::join(texts.get<std::vector<std::string>>(), ", "));
}

void print(const json& owner) {
  fmt::print("{}{}\n", owner["owner"].get<std::string>(),
             owner["trusted"].get<bool>() ? "" : "  (not trusted on this machine)");
  if (owner.contains("fingerprint"))
    fmt::print("  fingerprint  {}\n", owner["fingerprint"].get<std::string>());
  if (owner.contains("root")) fmt::print("  root.json    {}\n", file_text(owner["root"], owner["owner"]));
  if (owner.contains("targets"))
    fmt::print("  targets.json {}\n", file_text(owner["targets"], owner["owner"]));
  if (owner.contains("packages"))
    fmt::print("  believed for environments {}/*, packages {}\n", owner["owner"].get<std::string>(),
               list_text(owner["packages"]));
  for (const json& role : owner["roles"]) {
    std::vector<std::string> keys;
    for (const json& key : role["keys"]) keys.push_back(key_text(key));
    fmt::print("  {:<12} {} of {}", role["role"].get<std::string>(), role["threshold"].get<uint64_t>(),
               fmt::join(keys, ", "));
    if (role.contains("paths"))
      fmt::print("  may sign {}{}", list_text(role["paths"]),
                 role["terminating"].get<bool>() ? ", and nobody else may" : "");
    fmt::print("\n");
  }
  if (!owner.contains("pending")) return;
  for (const json& file : owner["pending"])
    fmt::print("  waits for signatures: {} has {} of {}{}\n", file["file"].get<std::string>(),
               file["signatures"].get<size_t>(), file["needed"].get<size_t>(),
               file["lacking"].empty() ? "" : "; it lacks " + list_text(file["lacking"]));
}

void show(const TrustShowOptions& options) {
  trust::TrustStore store = open_trust(Config::load());
  const std::vector<std::string> owners =
      options.owner.empty() ? store.owners() : std::vector<std::string>{options.owner};
  const trust::Time now = trust::now();
  json all = json::array();
  for (const std::string& owner : owners) all.push_back(examine(store, owner, now));
  if (options.json) return fmt::print("{}\n", (options.owner.empty() ? all : all.front()).dump(2));
  if (all.empty())
    fmt::print("No owner is trusted on this machine: {} has none. 'flox trust accept' makes one trusted.\n",
               store.directory().string());
  for (const json& owner : all) print(owner);
}

}  // namespace

void add_trust_show(CLI::App& trust) {
  auto options = std::make_shared<TrustShowOptions>();
  auto* command = trust.add_subcommand("show", "Show who is trusted, and who may sign what");
  command->add_option("OWNER", options->owner,
                      "the organisation or team (default: all that are trusted here)");
  add_json(*command, options->json);
  command->footer("Examples:\n  flox trust show\n  flox trust show acme --json");
  command->callback([options] { show(*options); });
}

}  // namespace flox::cli
