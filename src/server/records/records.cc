#include "server/records/records.h"

#include <algorithm>
#include <map>

#include "base/data/json.h"
#include "base/error.h"
#include "base/letter_case.h"
#include "base/log.h"
#include "catalog/choice.h"
#include "server/records/build_rows.h"
#include "server/records/in_list.h"
#include "server/records/mirrored_owners.h"
#include "server/records/package_index.h"
#include "server/records/removal_marks.h"
#include "server/records/schema.h"
#include "server/records/stored_values.h"
#include "trust/verifier.h"

namespace flox::server {
namespace {

using catalog::PackageBuild;

PackageBuild build_of(std::string_view record) {
  return PackageBuild::from_json(parse_json(record, "a record of the catalog"));
}

std::optional<PackageBuild> find_in(Session& session, const PackageBuild& like) {
  const auto found = session.row<std::string>(
      "select record from builds where name = $1 and version = $2 and system = $3 and variant = $4",
      {like.name, like.version, like.system, like.variant});
  return found ? std::optional(build_of(std::get<0>(*found))) : std::nullopt;
}

bool is_signed(const PackageBuild& build) { return !build.owner.empty(); }

std::vector<PackageBuild> all_builds(Session& session, std::string_view name) {
  std::vector<PackageBuild> builds;
  for (const auto& [record] : session.rows<std::string>("select record from builds where name = $1", {name}))
    builds.push_back(build_of(record));
  return builds;
}

// Who signs the package's builds; empty: nobody.
std::string signer_in(Session& session, std::string_view name) {
  const auto found =
      session.row<std::string>("select owner from builds where name = $1 and owner <> '' limit 1", {name});
  return found ? std::get<0>(*found) : "";
}

// Every writer of a package's builds comes here first. `by`: who has signed what is to be recorded; empty:
// nobody.
void check_owner(Session& session, const std::string& package, const std::string& by) {
  require_package_published_here(session, package);
  const std::string owner = signer_in(session, package);
  if (owner == by || owner.empty()) return;
  throw Error(
      ErrorKind::untrusted, fmt::format("package {} is {}'s", package, owner),
      by.empty() ? fmt::format("Sign it for --owner {} with a key that {} has delegated it to.", owner, owner)
                 : "Publish under another name.");
}

// What the name file lists is its owner's from now on, and the rest nobody's.
void set_owner(Session& session, const SignedBuilds& signed_by, const std::string& package) {
  auto missing = signed_by.listed;
  for (PackageBuild& build : all_builds(session, package)) {
    const trust::PackageRecord record = catalog::record_of(build);
    const auto listed = missing.find(record.target_path());
    const bool is_listed = listed != missing.end() && listed->second.sha256 == record.to_target().sha256;
    const std::string owner = is_listed ? signed_by.file.owner : "";
    const auto yanked = is_listed ? listed->second.yanked : build.yanked;
    if (is_listed) missing.erase(listed);
    if (build.owner == owner && build.yanked == yanked) continue;
    build.owner = owner;
    build.yanked = yanked;
    replace_build(session, build);
  }
  if (missing.empty()) return;
  throw Error(ErrorKind::invalid_input,
              fmt::format("the name file lists {}, and the catalog has no such build of {}",
                          missing.begin()->first, package),
              "Publish builds one by one: each name file adds one that the catalog has been given with it.");
}

// A pattern of "like … escape '!'" for a text that contains the term as it is.
std::string pattern_of(std::string_view term) {
  std::string pattern = "%";
  for (const char c : term) {
    if (c == '%' || c == '_' || c == '!') pattern += '!';
    pattern += c;
  }
  return pattern + "%";
}

}  // namespace

PackageBuild RecordedBuild::build() const { return build_of(record); }

bool Records::add(const PackageBuild& build, const std::optional<SignedBuilds>& signed_by,
                  const InTransaction& with_it, const LookedFor& looked) {
  if (is_signed(build) != signed_by.has_value())
    fail(ErrorKind::invalid_input, "a build has an owner and its name file, or neither");
  return database_.write([&](Session& session) {
    check_owner(session, build.name, build.owner);
    const auto recorded = find_in(session, build);
    if (recorded && recorded->outputs != build.outputs)
      throw Error(ErrorKind::conflict,
                  fmt::format("{} {} for {} is published already, with other content", build.name,
                              build.version, build.system),
                  "Raise the version: a published version never changes.");
    if (!recorded) {
      if (!has_builds(session, build.name)) note_new_name(session);
      insert_build(session, build);
    }
    if (signed_by) {
      set_owner(session, *signed_by, build.name);
      add_name_file(session, signed_by->file, OlderNameFiles::drop);
    }
    if (!recorded || signed_by) index_package(session, build.name);
    with_it(session);
    RemovalMarks::require_none(session, looked);
    return !recorded;
  });
}

void Records::yank(const std::string& name, const std::string& version,
                   const std::optional<std::string>& reason, const std::optional<SignedBuilds>& signed_by) {
  database_.write([&](Session& session) {
    check_owner(session, name, signed_by ? signed_by->file.owner : "");
    auto builds = all_builds(session, name);
    std::erase_if(builds, [&](const auto& build) {
      return build.version != version || (signed_by && !is_signed(build));
    });
    if (builds.empty())
      throw Error(ErrorKind::not_found, fmt::format("the catalog has no version {} of {}", version, name),
                  fmt::format("Run 'flox show {}' to see its versions.", name));
    if (signed_by) {
      set_owner(session, *signed_by, name);
      add_name_file(session, signed_by->file, OlderNameFiles::drop);
    } else {
      for (PackageBuild& build : builds) {
        if (build.yanked == reason) continue;
        build.yanked = reason;
        replace_build(session, build);
      }
    }
    index_package(session, name);
    RemovalMarks::count_publication(session);
  });
}

void Records::remove(const std::string& name, const std::set<std::string>& builds,
                     const SignedBuilds& signed_by, int64_t publications) {
  for (const auto& build : builds)
    if (signed_by.listed.contains(build))
      fail(ErrorKind::invalid_input, "the name file still lists {}", build);
  database_.write([&](Session& session) {
    if (!RemovalMarks::is_of(session, publications)) throw LookAgain();
    check_owner(session, name, signed_by.file.owner);
    set_owner(session, signed_by, name);
    add_name_file(session, signed_by.file, OlderNameFiles::drop);
    for (const PackageBuild& build : all_builds(session, name))
      if (!is_signed(build) && builds.contains(catalog::record_of(build).target_path()))
        remove_unsigned_build(session, build);
    index_package(session, name);
    RemovalMarks::count_publication(session);
  });
}

void Records::disown(Session& session, std::string_view name) {
  require_package_published_here(session, name);
  for (PackageBuild& build : all_builds(session, name)) {
    if (build.owner.empty()) continue;
    build.owner.clear();
    replace_build(session, build);
  }
  index_package(session, name);
  RemovalMarks::count_publication(session);
}

std::optional<PackageBuild> Records::find(const PackageBuild& like) const {
  return database_.transact(Access::statement, [&](Session& session) { return find_in(session, like); });
}

std::vector<PackageBuild> Records::builds(std::string_view name) const {
  std::vector<PackageBuild> result;
  for (const RecordedBuild& build : recorded(name)) result.push_back(build.build());
  return result;
}

std::vector<RecordedBuild> Records::recorded(std::string_view name) const {
  std::vector<RecordedBuild> result = database_.transact(Access::statement, [&](Session& session) {
    std::vector<RecordedBuild> all;
    session.each("select version, system, variant, owner, is_yanked, record from builds where name = $1",
                 {name}, [&](const Row& row) {
                   all.push_back({.version = row.get<std::string>(0),
                                  .system = row.get<std::string>(1),
                                  .variant = row.get<std::string>(2),
                                  .owner = row.get<std::string>(3),
                                  .yanked = row.get<int64_t>(4) != 0,
                                  .record = row.get<std::string>(5)});
                 });
    return all;
  });
  // If somebody signs it, what is signed.
  const auto is_unsigned = [](const RecordedBuild& build) { return build.owner.empty(); };
  if (!std::ranges::all_of(result, is_unsigned)) std::erase_if(result, is_unsigned);
  std::ranges::stable_sort(result, catalog::goes_before);
  return result;
}

FoundPackages Records::search(std::string_view term, const Filter& filter,
                              const std::set<std::string>& hidden, const Part& part) const {
  const std::string pattern = pattern_of(lower_case(term));
  return database_.read([&](Session& session) {
    FoundPackages found;
    std::string from, to;  // names of the part that is wanted
    size_t before = 0, wanted = 0;
    session.each(
        "select name from packages where system = $1 and searched like $2 escape '!' and ($3 = '' or "
        "owner = $3) and ($4 = '' or license = $4) order by name",
        {filter.system, pattern, filter.owner, filter.license}, [&](const Row& row) {
          const std::string_view name = row.text(0);
          if (!hidden.empty() && hidden.contains(std::string(name))) return;
          ++found.total;
          if (name <= part.after) return;
          if (before++ < part.skip) return;
          if (wanted == part.most) {
            found.has_more = true;
            return;
          }
          if (wanted++ == 0) from = name;
          to = name;
        });
    if (wanted == 0) return found;
    found.builds.reserve(wanted);
    session.each(
        "select b.record from packages as p join builds as b on b.name = p.name and b.version = p.version "
        "and b.system = p.built_for and b.variant = p.variant where p.system = $1 and p.name >= $3 and "
        "p.name <= $4 and p.searched like $2 escape '!' and ($5 = '' or p.owner = $5) and ($6 = '' or "
        "p.license = $6) order by p.name",
        {filter.system, pattern, from, to, filter.owner, filter.license}, [&](const Row& row) {
          PackageBuild build = build_of(row.text(0));
          if (!hidden.contains(build.name)) found.builds.push_back(std::move(build));
        });
    return found;
  });
}

Facets Records::facets(std::string_view term, const Filter& filter, const std::set<std::string>& hidden,
                       size_t most) const {
  const std::string lower = lower_case(term);
  const std::string pattern = pattern_of(lower);
  return facets_of(
      database_.read([&](Session& session) { return count_facets(session, lower, pattern, filter, hidden); }),
      filter, most);
}

std::map<std::string, std::set<std::string>> Records::systems(const std::vector<std::string>& names) const {
  return database_.read([&](Session& session) {
    std::map<std::string, std::set<std::string>> result;
    each_in(session, "select name, system from packages where system <> '' and name", names,
            [&](const Row& row) { result[row.get<std::string>(0)].insert(row.get<std::string>(1)); });
    return result;
  });
}

std::shared_ptr<const std::vector<std::string>> Records::names() const {
  const std::string now =
      database_.transact(Access::statement, [](Session& session) { return stored_value(session, "names"); })
          .value_or("");
  {
    const std::scoped_lock lock(mutex_);
    if (names_ && names_revision_ == now) return names_;
  }
  auto result = std::make_shared<std::vector<std::string>>();
  for (auto& [name] :
       database_.rows<std::string>("select name from packages where system = '' order by name"))
    result->push_back(std::move(name));
  const std::scoped_lock lock(mutex_);
  names_revision_ = now;
  return names_ = std::move(result);
}

void Records::set_signers(const std::string& keys, const SignersOf& signers_of) {
  const auto known =
      database_.transact(Access::statement, [](Session& session) { return stored_value(session, "keys"); });
  if (known == keys) return;
  if (const int64_t builds = count(); builds > 0)
    log::info("the trusted keys have changed: asking the cache who signed {} builds", builds);
  size_t changed = 0;
  for_each_page_of_builds(database_, [&](const std::vector<BuildRow>& rows) {
    std::vector<PackageBuild> builds;
    for (const BuildRow& row : rows) builds.push_back(build_of(row.record));
    std::vector<std::string> signers = signers_of(builds);
    std::vector<std::pair<PackageBuild, const std::string*>> others;  // with the record as it was
    for (size_t i = 0; i < rows.size(); ++i) {
      if (signers[i] == builds[i].signer) continue;
      builds[i].signer = std::move(signers[i]);
      others.emplace_back(std::move(builds[i]), &rows[i].record);
    }
    if (!others.empty())
      database_.write([&](Session& session) {
        for (const auto& [build, record] : others)
          session.run(
              "update builds set record = $5 where name = $1 and version = $2 and system = $3 and "
              "variant = $4 and record = $6",
              {build.name, build.version, build.system, build.variant, build.to_json().dump(), *record});
      });
    changed += others.size();
  });
  database_.write([&](Session& session) { store_value(session, "keys", keys); });
  if (changed > 0) log::info("{} builds have another signer", changed);
}

int64_t Records::count() const { return std::get<0>(*database_.row<int64_t>("select count(*) from builds")); }

std::string Records::owner_of(std::string_view name) const {
  return database_.transact(Access::statement, [&](Session& session) { return signer_in(session, name); });
}

}  // namespace flox::server
