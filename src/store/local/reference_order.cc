#include "store/local/reference_order.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace flox::store {

using nix::PathInfo;
using nix::StorePath;

std::vector<const PathInfo*> in_reference_order(const std::vector<PathInfo>& infos) {
  enum class Mark { fresh, open, done };
  struct Node {
    const PathInfo* info;
    Mark mark = Mark::fresh;
  };
  std::map<StorePath, Node> nodes;
  for (const PathInfo& info : infos) nodes.emplace(info.path, Node{&info});

  std::vector<const PathInfo*> order;
  struct Visit {  // an explicit stack: a machine-made chain of references may be long
    Node* node;
    nix::StorePathSet::const_iterator next;
  };
  std::vector<Visit> stack;
  auto visit = [&](Node& node) {
    node.mark = Mark::open;
    stack.push_back({&node, node.info->references.begin()});
  };
  for (const PathInfo& start : infos) {
    if (Node& node = nodes.at(start.path); node.mark == Mark::fresh) visit(node);
    while (!stack.empty()) {
      Visit& top = stack.back();
      const PathInfo& info = *top.node->info;
      if (top.next == info.references.end()) {
        top.node->mark = Mark::done;
        order.push_back(&info);
        stack.pop_back();
        continue;
      }
      const StorePath& reference = *top.next++;
      const auto found = nodes.find(reference);
      if (found == nodes.end() || reference == info.path) continue;
      if (found->second.mark == Mark::open)
        fail(ErrorKind::invalid_input, "the references of {} and {} go in a circle", info.path.to_string(),
             reference.to_string());
      if (found->second.mark == Mark::fresh) visit(found->second);
    }
  }
  return order;
}

std::vector<std::vector<size_t>> in_waves(const std::vector<const PathInfo*>& order) {
  std::map<StorePath, size_t> depth;
  std::vector<std::vector<size_t>> waves;
  for (size_t i = 0; i < order.size(); ++i) {
    size_t own = 0;
    for (const StorePath& reference : order[i]->references)
      if (const auto found = depth.find(reference); found != depth.end())
        own = std::max(own, found->second + 1);
    depth.emplace(order[i]->path, own);
    if (waves.size() <= own) waves.resize(own + 1);
    waves[own].push_back(i);
  }
  return waves;
}

}  // namespace flox::store
