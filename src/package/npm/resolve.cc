#include "package/npm/resolve.h"

#include <algorithm>

#include "base/error.h"
#include "base/printable.h"

namespace flox::package {
namespace {

constexpr size_t most_nodes = 3000;

// "npm:other@^1" of an alias; the name itself otherwise.
struct NpmWish {
  std::string name, spec;
};
NpmWish wish_of(const std::string& name, const std::string& spec) {
  if (!spec.starts_with("npm:")) return {name, spec};
  const std::string target = spec.substr(4);
  const size_t at = target.find('@', 1);
  NpmWish wish{target.substr(0, at), at == std::string::npos ? "*" : target.substr(at + 1)};
  if (!is_npm_name(wish.name)) fail(ErrorKind::invalid_input, "'{}' names no package", printable(spec, 80));
  return wish;
}

class NpmResolver {
 public:
  NpmResolver(const NpmRegistry& registry, const std::map<std::string, std::string>& pins,
              std::string_view cpu)
      : registry_(registry), pins_(pins), cpu_(cpu) {}

  NpmGraph run(const std::string& name, const std::string& spec) {
    add(name, choose({name, spec}));
    // Those that are nearer to the wanted one choose first.
    for (size_t node = 0; node < graph_.nodes.size(); ++node)
      in_context(graph_.nodes[node].name + " " + graph_.nodes[node].release.version.to_string(),
                 [&] { expand(node); });
    for (size_t node = 0; node < graph_.nodes.size(); ++node) see_optional_peers(node);
    return std::move(graph_);
  }

 private:
  void expand(size_t node) {
    const NpmRelease release = graph_.nodes[node].release;
    if (release.has_install_script)
      graph_.notes.push_back(fmt::format("{} {} has scripts for its installation, which are not run",
                                         graph_.nodes[node].name, release.version.to_string()));
    for (const auto& [name, spec] : release.dependencies) see(node, name, spec);
    for (const auto& [name, spec] : release.peers)
      if (!release.optional_peers.contains(name) && !graph_.nodes[node].sees.contains(name))
        see(node, name, spec);
    for (const auto& [name, spec] : release.optional) {
      try {
        see(node, name, spec);
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::unavailable || error.kind() == ErrorKind::internal) throw;
        // Of those for other systems there are many.
        if (error.kind() != ErrorKind::conflict)
          graph_.notes.push_back(fmt::format("{} is optional, and left out: {}", name, error.what()));
      }
    }
  }

  void see(size_t node, const std::string& name, const std::string& spec) {
    const NpmWish wish = wish_of(name, spec);
    std::optional<size_t> there = known(wish);
    if (!there) there = add(wish.name, choose(wish));
    graph_.nodes[node].sees.emplace(name, *there);
  }

  // The newest of those that are there already and admitted.
  std::optional<size_t> known(const NpmWish& wish) const {
    const auto range = NpmRange::find(wish.spec);
    const auto nodes = by_name_.find(wish.name);
    std::optional<size_t> best;
    if (!range || nodes == by_name_.end()) return best;
    for (const size_t node : nodes->second)
      if (range->admits(graph_.nodes[node].release.version) &&
          (!best || graph_.nodes[node].release.version > graph_.nodes[*best].release.version))
        best = node;
    return best;
  }

  const NpmRelease& choose(const NpmWish& wish) {
    const Packument& packument = registry_(wish.name);
    const NpmRelease* release = find(packument, wish);
    if (release == nullptr)
      throw Error(ErrorKind::not_found,
                  fmt::format("no release of {} is '{}'", wish.name, printable(wish.spec, 80)),
                  "Only packages of the registry are taken, which say their SHA-512; no URLs and no files.");
    if (!runs_here(*release, cpu_))
      fail(ErrorKind::conflict, "{} {} does not run on Linux with glibc and {}", wish.name,
           release->version.to_string(), cpu_);
    return *release;
  }

  const NpmRelease* find(const Packument& packument, const NpmWish& wish) const {
    const auto release_at = [&](const std::string& version) -> const NpmRelease* {
      const auto number = NpmVersion::find(version);
      for (const NpmRelease& release : packument.releases)
        if (number && release.version == *number) return &release;
      return nullptr;
    };
    if (const auto tag = packument.tags.find(wish.spec); tag != packument.tags.end())
      return release_at(tag->second);
    const auto range = NpmRange::find(wish.spec);
    if (!range) return nullptr;
    const auto admitted = [&](const NpmRelease* release) {
      return release != nullptr && range->admits(release->version);
    };
    if (const auto pin = pins_.find(wish.name); pin != pins_.end())
      if (const NpmRelease* release = release_at(pin->second); admitted(release)) return release;
    if (const auto latest = packument.tags.find("latest"); latest != packument.tags.end())
      if (const NpmRelease* release = release_at(latest->second); admitted(release)) return release;
    const NpmRelease* best = nullptr;
    for (const NpmRelease& release : packument.releases) {
      if (!range->admits(release.version)) continue;
      if (!release.deprecated) return &release;
      if (best == nullptr) best = &release;
    }
    return best;
  }

  size_t add(const std::string& name, const NpmRelease& release) {
    auto& nodes = by_name_[name];
    for (const size_t node : nodes)
      if (graph_.nodes[node].release.version == release.version) return node;
    if (graph_.nodes.size() == most_nodes)
      fail(ErrorKind::invalid_input, "it consists of more than {} packages", most_nodes);
    nodes.push_back(graph_.nodes.size());
    graph_.nodes.push_back({.name = name, .release = release, .sees = {}});
    return graph_.nodes.size() - 1;
  }

  // A peer that its package can do without is seen where somebody else brought it.
  void see_optional_peers(size_t node) {
    for (const std::string& name : graph_.nodes[node].release.optional_peers) {
      const auto spec = graph_.nodes[node].release.peers.find(name);
      if (spec == graph_.nodes[node].release.peers.end() || graph_.nodes[node].sees.contains(name)) continue;
      if (const auto there = known({name, spec->second})) graph_.nodes[node].sees.emplace(name, *there);
    }
  }

  const NpmRegistry& registry_;
  const std::map<std::string, std::string>& pins_;
  std::string_view cpu_;
  NpmGraph graph_;
  std::map<std::string, std::vector<size_t>> by_name_;
};

// Tarjan's algorithm: strongly connected components come out after those that they reach. At most 3,000 nodes
// deep.
class Grouping {
 public:
  explicit Grouping(const NpmGraph& graph) : graph_(graph), states_(graph.nodes.size()) {}

  std::vector<std::vector<size_t>> run() {
    for (size_t node = 0; node < states_.size(); ++node)
      if (states_[node].number == 0) visit(node);
    return std::move(groups_);
  }

 private:
  struct State {
    size_t number = 0, lowest = 0;
    bool open = false;
  };

  void visit(size_t node) {
    states_[node] = {.number = ++count_, .lowest = count_, .open = true};
    open_.push_back(node);
    for (const auto& [name, other] : graph_.nodes[node].sees) {
      if (states_[other].number == 0) {
        visit(other);
        states_[node].lowest = std::min(states_[node].lowest, states_[other].lowest);
      } else if (states_[other].open) {
        states_[node].lowest = std::min(states_[node].lowest, states_[other].number);
      }
    }
    if (states_[node].lowest != states_[node].number) return;
    std::vector<size_t> group;
    for (bool more = true; more;) {
      const size_t member = open_.back();
      open_.pop_back();
      states_[member].open = false;
      group.push_back(member);
      more = member != node;
    }
    std::ranges::sort(group, [&](size_t a, size_t b) {
      const NpmNode &x = graph_.nodes[a], &y = graph_.nodes[b];
      return x.name != y.name ? x.name < y.name : x.release.version < y.release.version;
    });
    groups_.push_back(std::move(group));
  }

  const NpmGraph& graph_;
  std::vector<State> states_;
  std::vector<size_t> open_;
  size_t count_ = 0;
  std::vector<std::vector<size_t>> groups_;
};

}  // namespace

NpmGraph resolve_npm(const NpmRegistry& registry, const std::string& name, const std::string& spec,
                     const std::map<std::string, std::string>& pins, std::string_view cpu) {
  return NpmResolver(registry, pins, cpu).run(name, spec);
}

std::vector<std::vector<size_t>> groups_of(const NpmGraph& graph) { return Grouping(graph).run(); }

}  // namespace flox::package
