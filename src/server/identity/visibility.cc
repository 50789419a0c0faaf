#include "server/identity/visibility.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "nix/cache_layout.h"
#include "server/records/clock.h"

namespace flox::server {
namespace {

std::vector<std::string> files_of(const std::vector<nix::NarInfo>& closure) {
  std::vector<std::string> names;
  names.reserve(3 * closure.size());
  for (const auto& narinfo : closure) {
    names.push_back(nix::narinfo_name(narinfo.info.path));
    names.push_back(narinfo.url);
    if (narinfo.index_hash) names.push_back(nix::index_file_name(*narinfo.index_hash));
  }
  return names;
}

// For which owner a caller publishes that names none.
std::string own_owner(const Caller& caller) {
  if (caller.is_operator) return {};
  const auto owners = caller.owners(Role::publish);
  if (owners.size() == 1) return *owners.begin();
  throw Error(ErrorKind::invalid_input,
              fmt::format("it is not clear which owner the package is for: this token publishes for {}",
                          fmt::join(owners, ", ")),
              "Use a token for one owner: flox auth token create --owner OWNER --scope publish.");
}

[[noreturn]] void refuse_package(const std::string& name) {
  throw Refusal("other_owner", fmt::format("package {} belongs to another owner", name),
                "Publish it under another name, or ask the catalog's operator whose it is.");
}

}  // namespace

bool Visibility::is_private(const std::string& owner) const {
  const auto found = owners_.find(owner);
  return found && found->is_private;
}

void Visibility::require_owner(const std::string& owner) const {
  if (!owners_.find(owner))
    throw Error(ErrorKind::not_found, fmt::format("the catalog has no owner {}", owner),
                "The catalog's operator makes owners: flox owner create OWNER.");
}

bool Visibility::may_see(const Caller& caller, Kind kind, const std::string& name) const {
  const auto holding = holdings_.find(kind, name);
  return !holding || !holding->is_private || caller.may(Role::read, holding->owner);
}

bool Visibility::may_see_owner(const Caller& caller, const std::string& owner) const {
  return !is_private(owner) || caller.may(Role::read, owner) || holdings_.has_public(owner);
}

std::set<std::string> Visibility::hidden_from(const Caller& caller, Kind kind) const {
  return caller.is_operator ? std::set<std::string>() : holdings_.hidden(kind, caller.owners(Role::read));
}

Holding Visibility::package_for(const Caller& caller, const std::string& name, const std::string& wanted,
                                bool is_published) const {
  auto holding = holdings_.find(Kind::package, name);
  // What was here before there were owners is the operator's, and public.
  if (!holding && is_published) holding = Holding{.owner = {}, .is_private = false, .since = now_rfc3339()};
  if (holding) {
    const bool is_given = holding->owner.empty() && caller.is_operator && !wanted.empty();
    if (is_given) {
      require_owner(wanted);
      holding->owner = wanted;
    }
    const bool is_its =
        holding->owner.empty() ? caller.is_operator : caller.may(Role::publish, holding->owner);
    if (!is_its || (!wanted.empty() && wanted != holding->owner)) refuse_package(name);
    return *std::move(holding);
  }
  const std::string owner = wanted.empty() ? own_owner(caller) : wanted;
  if (!owner.empty() && !caller.may(Role::publish, owner))
    throw Refusal("other_owner", fmt::format("this token may not publish for {}", owner),
                  "Ask an admin of the owner: flox owner add.");
  if (!owner.empty()) require_owner(owner);
  return {.owner = owner, .is_private = is_private(owner), .since = now_rfc3339()};
}

void Visibility::claim_package(Session& session, const Caller& caller, const std::string& name,
                               const Holding& holding) {
  // The operator's own packages are claimed, too, so that nobody else claims them.
  const std::string owner = Holdings::claim(session, Kind::package, name, holding).owner;
  if (owner == holding.owner) return;
  const bool is_given = owner.empty() && caller.is_operator;
  if (!is_given || !Holdings::give(session, Kind::package, name, owner, holding.owner)) refuse_package(name);
}

Holding Visibility::environment_for(const std::string& owner, const std::string& name,
                                    bool is_published) const {
  if (auto known = holdings_.find(Kind::environment, owner + "/" + name)) return *std::move(known);
  return {.owner = owner, .is_private = !is_published && is_private(owner), .since = now_rfc3339()};
}

Holding Visibility::claim_environment(Session& session, const std::string& name, const Holding& holding) {
  return Holdings::claim(session, Kind::environment, holding.owner + "/" + name, holding);
}

void Visibility::publish_files(Session& session, const Caller& caller, const Holding& holding,
                               const std::vector<nix::NarInfo>& closure) {
  std::set<std::string> own = {holding.owner};
  if (!caller.user.empty()) own.insert("@" + caller.user);
  const auto hidden = CacheReaders::share(session, files_of(closure), own,
                                          holding.is_private ? holding.owner : CacheReaders::everyone);
  if (!hidden) return;
  const auto needs_it = std::ranges::find_if(
      closure, [&](const auto& narinfo) { return std::ranges::count(files_of({narinfo}), *hidden) > 0; });
  throw Refusal("other_owner", fmt::format("{} is private to another owner", needs_it->info.path.to_string()),
                "Let that owner make it public, or publish this.");
}

Visibility::CallersCache::CallersCache(const Visibility& visibility, const Caller& caller)
    : readers_(visibility.readers_), is_operator_(caller.is_operator), names_(caller.owners(Role::read)) {
  const auto owners = caller.owners(Role::publish);
  if (!caller.user.empty()) names_.insert("@" + caller.user);
  if (is_operator_ || (owners.size() == 1 && !visibility.is_private(*owners.begin()))) return;
  uploader_ = owners.size() == 1 ? *owners.begin() : "@" + caller.user;
}

std::set<std::string> Visibility::CallersCache::unreadable(const std::vector<std::string>& names) const {
  return is_operator_ ? std::set<std::string>() : readers_.unreadable(names, names_);
}

void Visibility::CallersCache::grant(const std::string& name, bool is_new) const {
  if (uploader_.empty())
    readers_.make_public({name});
  else if (is_new)
    readers_.restrict_to(name, uploader_);
  else
    readers_.add({name}, uploader_);
}

}  // namespace flox::server
