#include "server/pages/closure_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>

#include "base/settings/units.h"
#include "server/pages/parts.h"
#include "server/pages/treemap.h"

namespace flox::server {
namespace {

constexpr size_t most_rows = 12;
constexpr size_t most_nodes = 1000;
constexpr int deepest = 24;  // a browser does not nest elements for ever

std::string titled(const trust::Component& component) {
  const auto& [name, version] = std::tie(component.package.name, component.package.version);
  return version.empty() ? name : name + " " + version;
}

// The closure as a tree.
class ClosureTree {
 public:
  explicit ClosureTree(const trust::Bill& bill) {
    for (const trust::Component& component : bill.components)
      nodes_[component.path] = {.component = &component};
    // By how far they are from the package, so that nothing stands deeper than it must.
    std::deque<const nix::StorePath*> open;
    for (const nix::StorePath& root : bill.roots)
      if (const auto found = nodes_.find(root); found != nodes_.end()) {
        found->second.depth = 1;
        roots_.push_back(&found->second);
        open.push_back(&found->first);
      }
    for (; !open.empty(); open.pop_front()) {
      Node& node = nodes_.at(*open.front());
      for (const nix::StorePath& reference : node.component->references) {
        const auto found = nodes_.find(reference);
        if (found == nodes_.end()) continue;
        if (found->second.depth != 0) {
          ++node.elsewhere;
          continue;
        }
        found->second.depth = node.depth + 1;
        node.children.push_back(&found->second);
        open.push_back(&found->first);
      }
      std::ranges::stable_sort(node.children, std::greater(),
                               [](const Node* one) { return one->component->nar_size; });
    }
  }

  // 1: the package's own; 2: what these name; more: what those need.
  int depth(const nix::StorePath& path) const { return nodes_.at(path).depth; }

  Html to_html() const {
    Html items;
    size_t left = most_nodes;
    for (const Node* root : roots_) items += item(*root, left);
    Html tree = el("ul", {{"class", "tree"}}, items);
    if (const size_t hidden = nodes_.size() - (most_nodes - left); hidden > 0)
      tree += el("p", {{"class", "soft small"}},
                 fmt::format("{} not shown.", count_text(hidden, "path is", "paths are")));
    return tree;
  }

 private:
  struct Node {
    const trust::Component* component = nullptr;
    int depth = 0;                      // 0: not reached
    std::vector<const Node*> children;  // the largest first
    size_t elsewhere = 0;               // references that stand at another place of the tree
  };

  static Html item(const Node& node, size_t& left) {
    if (left == 0) return {};
    --left;
    Html label = el("span", {{"class", "path"}}, titled(*node.component));
    label += el("span", {{"class", "size"}}, size_text(node.component->nar_size));
    if ((node.children.empty() && node.elsewhere == 0) || node.depth == deepest)
      return el("li", {}, el("span", {{"class", "leaf"}}, label));
    Html items;
    for (const Node* child : node.children) items += item(*child, left);
    if (node.elsewhere > 0)
      items += el("li", {},
                  el("span", {{"class", "leaf soft small"}},
                     fmt::format("{} that stand elsewhere in this tree",
                                 count_text(node.elsewhere, "path", "paths"))));
    return el("li", {},
              el("details", {{"open", node.depth <= 1}}, el("summary", {}, label), el("ul", {}, items)));
  }

  std::map<nix::StorePath, Node> nodes_;
  std::vector<const Node*> roots_;
};

Html largest(std::vector<const trust::Component*> components, uint64_t total) {
  std::ranges::stable_sort(components, std::greater(), &trust::Component::nar_size);
  const size_t shown = std::min(components.size(), most_rows);
  Html rows;
  for (size_t i = 0; i < shown; ++i) {
    const trust::Component& one = *components[i];
    const double share =
        total == 0 ? 0 : 100.0 * static_cast<double>(one.nar_size) / static_cast<double>(total);
    rows += el("tr", {}, el("th", {{"scope", "row"}}, titled(one)),
               el("td", {{"class", "number"}}, size_text(one.nar_size)),
               el("td", {{"class", "number"}}, fmt::format("{:.1f} %", share)),
               el("td", {{"class", "path soft"}}, one.path.base_name()));
  }
  return table(shown == components.size() ? "All paths by size"
                                          : fmt::format("The {} largest of {}", shown,
                                                        count_text(components.size(), "path", "paths")),
               {{"Path"}, {"Size", "number"}, {"Share", "number"}, {"In /nix/store"}}, rows);
}

}  // namespace

uint64_t bytes_of_closure(const trust::Bill& bill) {
  uint64_t bytes = 0;
  for (const trust::Component& component : bill.components) bytes += component.nar_size;
  return bytes;
}

Html closure_view(const trust::Bill& bill) {
  const ClosureTree tree(bill);
  const uint64_t total = bytes_of_closure(bill);
  std::vector<Tile> tiles;
  std::vector<const trust::Component*> components;
  for (const trust::Component& component : bill.components) {
    const int depth = tree.depth(component.path);
    tiles.push_back({.name = titled(component),
                     .bytes = component.nar_size,
                     .kind = depth == 1   ? "own"
                             : depth == 2 ? "near"
                                          : "far"});
    components.push_back(&component);
  }
  Html view =
      el("figure", {},
         treemap(std::move(tiles),
                 fmt::format("Sizes of the {} of the closure, {} in all. The table below has the largest.",
                             count_text(bill.components.size(), "path", "paths"), size_text(total))),
         el("figcaption", {},
            el("ul", {{"class", "legend"}}, el("li", {{"class", "own"}}, "the package itself"),
               el("li", {{"class", "near"}}, "what it names"), el("li", {}, "what those need"))));
  view += largest(std::move(components), total);
  view += el("h3", {}, "What needs what");
  view += tree.to_html();
  return view;
}

}  // namespace flox::server
