#include "package/python/resolve.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"

namespace flox::package {
namespace {

constexpr size_t most_attempts = 20'000;
constexpr size_t most_work = 10'000'000;  // conditions of versions and extras that are looked at
constexpr size_t deepest = 100;           // extras of extras
constexpr size_t most_distributions = 500;

// A condition on a project's version, and who has it.
struct Wish {
  PythonSpecifiers versions;
  std::string by;
};

// What is decided so far.
struct Choice {
  std::vector<std::string> order;  // of projects, as they were come by
  std::map<std::string, std::vector<Wish>> wishes;
  std::map<std::string, std::set<std::string>> extras;
  std::map<std::string, PythonVersion> chosen;
};

class PythonResolver {
 public:
  PythonResolver(PythonReleases& releases, const MarkerEnvironment& environment,
                 const std::vector<PythonRequirement>& pins)
      : releases_(releases), environment_(environment), pins_(pins) {}

  std::vector<ResolvedDistribution> run(const std::vector<PythonRequirement>& wanted) {
    Choice choice;
    for (const PythonRequirement& one : wanted)
      if (!add(choice, one, "you")) fail_conflict();
    if (!solve(choice, 0)) fail_conflict();
    std::vector<ResolvedDistribution> result;
    for (const std::string& project : choice.order)
      result.push_back({.project = project, .version = choice.chosen.at(project)});
    return result;
  }

 private:
  [[noreturn]] void fail_conflict() const {
    throw Error(ErrorKind::conflict, conflict_,
                "Ask for another version, or name versions that go together with --with NAME==VERSION.");
  }

  // Decides the projects from `next` on; on success the choice is complete.
  bool solve(Choice& choice, size_t next) {
    while (next < choice.order.size() && choice.chosen.contains(choice.order[next])) ++next;
    if (next == choice.order.size()) return true;
    const std::string project = choice.order[next];
    const auto candidates = this->candidates(choice, project);
    if (candidates.empty()) return false;
    for (const PythonVersion& version : candidates) {
      if (++attempts_ > most_attempts)
        fail(ErrorKind::invalid_input,
             "more than {} attempts found no versions that go together; the last: {}", most_attempts,
             conflict_);
      Choice attempt = choice;
      attempt.chosen.emplace(project, version);
      if (expand(attempt, project) && solve(attempt, next + 1)) {
        choice = std::move(attempt);
        return true;
      }
    }
    return false;
  }

  // Those that everybody so far admits, in the order of preference. Of none, conflict_ says why.
  std::vector<PythonVersion> candidates(const Choice& choice, const std::string& project) {
    const auto& wishes = choice.wishes.at(project);
    std::vector<PythonVersion> versions;
    try {
      versions = releases_.versions(project);
    } catch (const Error& error) {  // another version of who needs it may do without
      if (error.kind() != ErrorKind::not_found) throw;
      conflict_ = error.what();
      return {};
    }
    const bool wants_pre =
        std::ranges::any_of(wishes, [](const Wish& wish) { return wish.versions.names_pre_release(); });
    std::vector<PythonVersion> best, pre_releases, yanked;
    for (const PythonVersion& version : versions) {
      work(wishes.size());
      if (!std::ranges::all_of(wishes, [&](const Wish& wish) { return wish.versions.admits(version); }))
        continue;
      if (releases_.is_yanked(project, version)) {
        // As installers have it: only who asks for exactly this one gets it.
        if (std::ranges::any_of(wishes, asks_for_one)) yanked.push_back(version);
      } else {
        (version.is_pre_release() && !wants_pre ? pre_releases : best).push_back(version);
      }
    }
    for (const auto* others : {&pre_releases, &yanked})
      if (best.empty()) best = *others;
    if (best.empty()) note_conflict(choice, project);
    return best;
  }
  static bool asks_for_one(const Wish& wish) {
    return wish.versions.text().starts_with("==") && !wish.versions.text().ends_with("*");
  }

  // Adds what the chosen version of the project needs with the extras that are wanted of it.
  bool expand(Choice& choice, const std::string& project) {
    const PythonVersion version = choice.chosen.at(project);
    const std::string by = project + " " + version.to_string();
    const PythonMetadata* metadata = nullptr;
    try {
      metadata = &releases_.metadata(project, version);
    } catch (const Error& error) {  // old releases say things that nobody reads any more
      if (error.kind() != ErrorKind::invalid_input) throw;
      conflict_ = fmt::format("{}: {}", by, error.what());
      return false;
    }
    const Depth depth(*this);
    for (const PythonRequirement& requirement : metadata->requirements) {
      work(1);
      if (requirement.applies(environment_, choice.extras[project]) && !add(choice, requirement, by))
        return false;
    }
    return true;
  }

  // The packages' authors say how much there is to look at.
  void work(size_t steps) {
    if ((work_ += steps) > most_work)
      fail(ErrorKind::invalid_input, "its dependencies have too many conditions to be looked at");
  }
  // Extras that want extras that want extras …
  class Depth {
   public:
    explicit Depth(PythonResolver& of) : of_(of) {
      if (++of_.depth_ > deepest)
        fail(ErrorKind::invalid_input, "its extras need each other more than {} deep", deepest);
    }
    ~Depth() { --of_.depth_; }
    Depth(const Depth&) = delete;

   private:
    PythonResolver& of_;
  };

  bool add(Choice& choice, const PythonRequirement& requirement, const std::string& by) {
    const std::string& project = requirement.name;
    if (!requirement.url.empty())
      throw Error(ErrorKind::invalid_input,
                  fmt::format("{} needs {} from a URL, which no index vouches for", by, project),
                  "Ask its author for a release that names a version.");
    auto& wishes = choice.wishes[project];
    const bool is_known = std::ranges::any_of(wishes, [&](const Wish& wish) {
      return wish.by == by && wish.versions.text() == requirement.versions.text();
    });
    if (wishes.empty()) {
      if (choice.order.size() == most_distributions)
        fail(ErrorKind::invalid_input, "it needs more than {} other distributions", most_distributions);
      choice.order.push_back(project);
      for (const PythonRequirement& pin : pins_)
        if (pin.name == project) wishes.push_back({pin.versions, "--with"});
    }
    if (!is_known) wishes.push_back({requirement.versions, by});
    auto& extras = choice.extras[project];
    const size_t before = extras.size();
    extras.insert(requirement.extras.begin(), requirement.extras.end());
    const auto chosen = choice.chosen.find(project);
    // At once, so that the search does not go on in vain.
    if (chosen == choice.chosen.end()) return !candidates(choice, project).empty();
    if (!requirement.versions.admits(chosen->second)) {
      note_conflict(choice, project);
      return false;
    }
    return extras.size() == before || expand(choice, project);
  }

  void note_conflict(const Choice& choice, const std::string& project) {
    std::vector<std::string> parts;
    for (const Wish& wish : choice.wishes.at(project))
      parts.push_back(fmt::format("{} ({} want{})", wish.versions.empty() ? "any" : wish.versions.text(),
                                  wish.by, wish.by == "you" ? "" : "s"));
    conflict_ = fmt::format("no version of {} that runs here is all of: {}", project, fmt::join(parts, ", "));
  }

  PythonReleases& releases_;
  const MarkerEnvironment& environment_;
  const std::vector<PythonRequirement>& pins_;
  size_t attempts_ = 0;
  size_t work_ = 0;
  size_t depth_ = 0;
  std::string conflict_;
};

}  // namespace

std::vector<ResolvedDistribution> resolve_python(PythonReleases& releases,
                                                 const std::vector<PythonRequirement>& wanted,
                                                 const std::vector<PythonRequirement>& pins,
                                                 const MarkerEnvironment& environment) {
  return PythonResolver(releases, environment, pins).run(wanted);
}

}  // namespace flox::package
