#include "server/api/resolve.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "catalog/choice.h"
#include "server/api/suggest.h"

namespace flox::server {
namespace {

using catalog::PackageBuild;
using nlohmann::json;

constexpr size_t most_items = 100;
constexpr size_t most_descriptors = 1000;   // in one request: each is a query
constexpr size_t most_systems = 16;         // of a descriptor
constexpr size_t longest_text = 255;        // bytes of any text
constexpr size_t largest_answer = 2 << 20;  // bytes
constexpr size_t most_suggestions = 10;     // unknown packages for which names that are near are looked for
constexpr uint64_t most_kept = 8 << 20;     // bytes of builds in memory, for descriptors of the same package
constexpr size_t most_told = 20;            // versions in a message
// What one request may make the server do: comparisons of a version with a condition, and builds read from
// the database, which take about ten times as long. Some 0.3 s.
constexpr size_t most_work = 1'000'000;
constexpr size_t work_of_reading = 10;

// A request's members, read strictly: what is ill-typed is named.
const json& request_member(const json& object, const char* key) {
  if (!object.is_object()) fail(ErrorKind::invalid_input, "an object with '{}' is expected", key);
  static const json none;
  auto it = object.find(key);
  return it == object.end() ? none : *it;
}
std::string text(const json& object, const char* key, const char* otherwise = nullptr) {
  const json& value = request_member(object, key);
  if (value.is_null() && otherwise != nullptr) return otherwise;
  if (!value.is_string()) fail(ErrorKind::invalid_input, "'{}' is missing or not a string", key);
  const auto& result = value.get_ref<const std::string&>();
  if (result.size() > longest_text)
    fail(ErrorKind::invalid_input, "'{}' is over {} bytes", key, longest_text);
  return result;
}
const json& list(const json& object, const char* key, size_t most) {
  const json& value = request_member(object, key);
  if (!value.is_array()) fail(ErrorKind::invalid_input, "'{}' is missing or not a list", key);
  if (value.size() > most) fail(ErrorKind::invalid_input, "'{}' has more than {} elements", key, most);
  return value;
}

// "x86_64-linux", "aarch64-darwin": of a form that a system has, known here or not.
bool is_system(std::string_view text) {
  const size_t dash = text.find('-');
  return text.size() <= 64 && dash != std::string_view::npos && dash != 0 && dash + 1 < text.size() &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

// One element of "descriptors".
struct Wanted {
  std::string install_id;
  std::string name;
  std::string constraint;
  std::string cpu_level;
  bool allow_pre_releases = false;
  std::vector<std::string> systems;

  static Wanted from(const json& descriptor) {
    Wanted wanted;
    wanted.name = text(descriptor, "attr_path");
    wanted.install_id = text(descriptor, "install_id", wanted.name.c_str());
    wanted.constraint = text(descriptor, "version", "");
    wanted.cpu_level = text(descriptor, "cpu_level", "");
    const json& allow = request_member(descriptor, "allow_pre_releases");
    if (!allow.is_null() && !allow.is_boolean())
      fail(ErrorKind::invalid_input, "'allow_pre_releases' is neither true nor false");
    wanted.allow_pre_releases = allow.is_boolean() && allow.get<bool>();
    for (const auto& system : list(descriptor, "systems", most_systems)) {
      if (!system.is_string())
        fail(ErrorKind::invalid_input, "'systems' holds something that is not a string");
      const auto& name = system.get_ref<const std::string&>();
      if (!is_system(name))
        throw Error(ErrorKind::invalid_input, "'systems' holds something that is not a system",
                    "Write systems as x86_64-linux.");
      if (std::ranges::find(wanted.systems, name) == wanted.systems.end()) wanted.systems.push_back(name);
    }
    return wanted;
  }
};

json message(std::string_view type, std::string text, std::string advice) {
  return {{"level", "error"},
          {"type", type},
          {"message", std::move(text)},
          {"context", {{"advice", std::move(advice)}}}};
}

// The record as an element of manifest.lock's "packages" (docs/formats/lockfile.md). Flox records the nixpkgs
// revision that a package came from; our packages come from no revision, so rev is the digest of the output,
// locked_url the catalog's page, and derivation the store path itself.
json locked_package(const PackageBuild& build, const std::string& install_id, const std::string& group,
                    const std::string& base_url) {
  json outputs = json::object();
  json names = json::array();
  for (const auto& [output, path] : build.outputs) {
    outputs[output] = path.to_string();
    names.push_back(output);
  }
  const auto& main = build.outputs.contains("out") ? build.outputs.at("out") : build.outputs.begin()->second;
  json package = {{"attr_path", build.name},
                  {"broken", false},
                  {"derivation", main.to_string()},
                  {"description", build.description},
                  {"install_id", install_id},
                  {"locked_url", base_url + "/api/v1/catalog/packages/" + build.name},
                  {"name", build.name + "-" + build.version},
                  {"pname", build.name},
                  {"rev", main.digest()},
                  {"rev_count", 0},
                  {"rev_date", build.published_at},
                  {"scrape_date", build.published_at},
                  {"stabilities", {"stable"}},
                  {"unfree", false},
                  {"version", build.version},
                  {"outputs_to_install", names},
                  {"outputs", outputs},
                  {"system", build.system},
                  {"group", group},
                  {"priority", 5}};
  package["license"] = build.license.empty() ? json() : json(build.license);
  if (!build.variant.empty()) package["variant"] = build.variant;
  return package;
}

std::string that_satisfies(const std::string& constraint) {
  return constraint.empty() ? "" : fmt::format(" that satisfies '{}'", constraint);
}

// One request: what it has looked up already, and how much the answer has grown.
class Resolver {
 public:
  Resolver(const VisibleRecords& records, const std::string& base_url, OwnedPackages& owned)
      : records_(records), base_url_(base_url), owned_(owned) {}

  // Messages of what could not be resolved go to `errors`, others to `warnings`.
  void resolve(const Wanted& wanted, const std::string& group, json& packages, json& errors, json& warnings) {
    const catalog::VersionConstraint constraint(wanted.constraint);
    const auto& builds = builds_of(wanted.name);
    for (const auto& system : wanted.systems) {
      spend(builds.size() * std::max<size_t>(1, constraint.size()));
      const catalog::Wish wish{system, wanted.cpu_level, wanted.allow_pre_releases};
      if (const RecordedBuild* chosen = catalog::choose(builds, wish, constraint)) {
        packages.push_back(counted(locked_package(chosen->build(), wanted.install_id, group, base_url_)));
        if (!chosen->owner.empty()) owned_.emplace(wanted.name, chosen->owner);
        if (chosen->yanked)
          warnings.push_back(
              counted({{"level", "warning"},
                       {"type", "yanked"},
                       {"message", *chosen->build().yanked},
                       {"context", {{"attr_path", wanted.name}, {"version", chosen->version}}}},
                      2));
      } else
        errors.push_back(counted(explain_miss(builds, wanted, constraint, system), 2));
    }
  }

 private:
  const std::vector<RecordedBuild>& builds_of(const std::string& name) {
    if (const auto known = builds_.find(name); known != builds_.end()) return known->second;
    std::vector<RecordedBuild> builds = records_.recorded(name);
    spend(builds.size() * work_of_reading);
    uint64_t bytes = 0;
    for (const RecordedBuild& build : builds) bytes += sizeof build + build.record.size();
    if ((kept_ += bytes) > most_kept) {
      builds_.clear();
      kept_ = bytes;
    }
    return builds_.insert_or_assign(name, std::move(builds)).first->second;
  }

  void spend(size_t work) {
    work_ += work;
    if (work_ > most_work)
      throw Error(ErrorKind::invalid_input, "the request has too many versions compared",
                  "Resolve fewer packages at once.");
  }

  json counted(json part, size_t times = 1) {
    size_ += part.dump().size() * times;
    if (size_ > largest_answer)
      throw Error(ErrorKind::invalid_input, fmt::format("the answer would be over {} bytes", largest_answer),
                  "Resolve fewer packages at once.");
    return part;
  }

  std::string advice_for(const std::string& name) {
    static const std::vector<std::string> nothing;
    if (suggestions_ == most_suggestions) return advice_for_unknown(name, nothing);
    ++suggestions_;
    return advice_for_unknown(name, *records_.names());
  }

  json explain_miss(const std::vector<RecordedBuild>& builds, const Wanted& wanted,
                    const catalog::VersionConstraint& constraint, const std::string& system) {
    if (builds.empty())
      return message("attr_path_not_found.not_in_catalog", "the catalog has no such package",
                     advice_for(wanted.name));
    std::vector<std::string> versions;
    std::vector<std::string> variants;  // of versions that would satisfy
    std::vector<std::string> yanked;    // likewise
    for (const auto& build : builds) {
      if (build.system != system) continue;
      if (build.yanked) {
        if (yanked.size() < most_told && constraint.admits(build.version))
          yanked.push_back(fmt::format("{} ({})", build.version, *build.build().yanked));
        continue;
      }
      if (versions.size() < most_told && (versions.empty() || versions.back() != build.version))
        versions.push_back(build.version);
      if (variants.size() < most_told && constraint.admits(build.version))
        variants.push_back(fmt::format("{} ({})", build.version, build.variant));
    }
    if (!yanked.empty() && variants.empty())
      return message(
          "version_yanked",
          fmt::format("every version{} was yanked: {}", that_satisfies(wanted.constraint),
                      fmt::join(yanked, ", ")),
          versions.empty()
              ? fmt::format("Ask for {}@VERSION to use it all the same.", wanted.name)
              : fmt::format("Other versions: {}. Ask for {}@VERSION to use a yanked one all the same.",
                            fmt::join(versions, ", "), wanted.name));
    if (versions.empty())
      return message("attr_path_not_found.systems_not_on_same_page",
                     fmt::format("it is not published for {}", system), "publish a build for that system");
    if (!variants.empty())
      return message("constraints_too_tight",
                     fmt::format("no build of it runs on a CPU of level {}",
                                 wanted.cpu_level.empty() ? "unknown" : wanted.cpu_level),
                     fmt::format("published builds: {}; publish one without --variant for other CPUs",
                                 fmt::join(variants, ", ")));
    return message("version_not_found", fmt::format("no published version satisfies '{}'", wanted.constraint),
                   fmt::format("Choose one of the published versions: {}.", fmt::join(versions, ", ")));
  }

  const VisibleRecords& records_;
  const std::string& base_url_;
  OwnedPackages& owned_;
  std::map<std::string, std::vector<RecordedBuild>> builds_;
  size_t size_ = 0;
  size_t work_ = 0;
  uint64_t kept_ = 0;  // bytes in builds_
  size_t suggestions_ = 0;
};

}  // namespace

json resolve(const VisibleRecords& records, const json& request, const std::string& base_url,
             OwnedPackages& owned) {
  json answer = {{"items", json::array()}};
  Resolver resolver(records, base_url, owned);
  size_t descriptors = 0;
  for (const auto& item : list(request, "items", most_items)) {
    json packages = json::array();
    json messages = json::array();
    json warnings = json::array();
    const std::string group = text(item, "name", "toplevel");
    for (const auto& descriptor : list(item, "descriptors", most_descriptors)) {
      if (++descriptors > most_descriptors)
        fail(ErrorKind::invalid_input, "at most {} descriptors are resolved at once", most_descriptors);
      resolver.resolve(Wanted::from(descriptor), group, packages, messages, warnings);
    }
    const bool complete = messages.empty();
    messages.insert(messages.end(), warnings.begin(), warnings.end());
    answer["items"].push_back({{"name", group},
                               {"page",
                                {{"page", 1},
                                 {"url", base_url},
                                 {"packages", std::move(packages)},
                                 {"messages", messages},
                                 {"complete", complete}}},
                               {"messages", std::move(messages)}});
  }
  return answer;
}

}  // namespace flox::server
