// flox store closure: lists paths and all paths that they refer to.
#include <algorithm>
#include <memory>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/settings/units.h"
#include "cli/closure_target.h"
#include "cli/store/commands.h"

namespace flox::cli {
namespace {

using Graph = store::ReferenceGraph;
using Index = Graph::Index;

struct StoreClosureOptions {
  std::vector<std::string> paths;
  std::string pod;  // NAMESPACE/NAME
  bool tree = false;
  bool sizes = false;
  bool dot = false;
  bool json = false;
  std::vector<std::string> why;
};

Index index_of(const Graph& graph, const nix::StorePath& path) {
  const auto index = graph.find(path);
  if (!index)
    throw Error(ErrorKind::not_found, fmt::format("{} is not in the store", path.to_string()),
                fmt::format("Run 'flox store realise {}' to fetch it.", path.to_string()));
  return *index;
}

std::vector<Index> reachable(const Graph& graph, const std::vector<Index>& starts) {
  std::vector<bool> marked(graph.size());
  std::vector<Index> reached;
  for (const Index start : starts) graph.mark(start, marked, &reached);
  std::ranges::sort(reached);
  return reached;
}

uint64_t size_of(const Graph& graph, const std::vector<Index>& paths) {
  uint64_t size = 0;
  for (const Index index : paths) size += graph[index].nar_size;
  return size;
}

// Each path once in full; where it comes again, "…" stands for what is below it.
class Tree {
 public:
  Tree(const Graph& graph, bool sizes) : graph_(graph), sizes_(sizes), shown_(graph.size()) {}

  void print(Index index, const std::string& lead = {}, const std::string& below = {}) {
    const bool again = shown_[index] && !graph_.references(index).empty();
    shown_[index] = true;
    fmt::print("{}{}{}{}\n", lead, graph_[index].path.to_string(), sizes_ ? sizes_of(index) : "",
               again ? " …" : "");
    if (again) return;
    const auto references = graph_.references(index);
    for (size_t i = 0; i < references.size(); ++i) {
      const bool last = i + 1 == references.size();
      print(references[i], below + (last ? "└── " : "├── "), below + (last ? "    " : "│   "));
    }
  }

 private:
  std::string sizes_of(Index index) const {
    return fmt::format("  {}, with all below {}", size_text(graph_[index].nar_size),
                       size_text(size_of(graph_, reachable(graph_, {index}))));
  }
  const Graph& graph_;
  bool sizes_;
  std::vector<bool> shown_;
};

void print_dot(const Graph& graph, const std::vector<Index>& closure) {
  fmt::print("digraph closure {{\n");
  for (const Index index : closure) {
    fmt::print("  \"{}\" [label=\"{}\\n{}\"];\n", graph[index].path.base_name(), graph[index].path.name(),
               size_text(graph[index].nar_size));
    for (const Index reference : graph.references(index))
      fmt::print("  \"{}\" -> \"{}\";\n", graph[index].path.base_name(), graph[reference].path.base_name());
  }
  fmt::print("}}\n");
}

void print_sizes(const Graph& graph, const std::vector<Index>& closure) {
  std::vector<Index> by_size = closure;
  std::ranges::stable_sort(by_size, std::ranges::greater{}, [&](Index i) { return graph[i].nar_size; });
  for (const Index index : by_size)
    fmt::print("{:>12}  {}\n", size_text(graph[index].nar_size), graph[index].path.to_string());
  fmt::print("{:>12}  in {}\n", size_text(size_of(graph, closure)), count_text(closure.size(), "path"));
}

void print_why(const Graph& graph, const StoreClosureOptions& options) {
  const nix::StorePath from = nix::StorePath::containing(options.why[0]);
  const nix::StorePath to = nix::StorePath::containing(options.why[1]);
  const std::vector<Index> chain = graph.chain(index_of(graph, from), index_of(graph, to));
  if (chain.empty())
    fail(ErrorKind::not_found, "{} does not refer to {}, nor does anything that it refers to",
         from.to_string(), to.to_string());
  nlohmann::json json = nlohmann::json::array();
  for (size_t i = 0; i < chain.size(); ++i) {
    json.push_back(graph[chain[i]].path.to_string());
    if (!options.json)
      fmt::print("{:>{}}{}{}\n", "", i == 0 ? 0 : 4 * (i - 1), i == 0 ? "" : "└── ",
                 graph[chain[i]].path.to_string());
  }
  if (options.json) print_json(json);
}

// Without options the database gives the closure's paths and reads no other path's references.
void print_paths(const store::LocalStore& store, const StoreClosureOptions& options) {
  std::string text;
  for (const nix::StorePath& path : store.closure(to_store_paths(options.paths)))
    text.append(path.to_string()).push_back('\n');
  fmt::print("{}", text);
}

void show_closure(StoreClosureOptions options) {
  if (options.paths.empty() && options.why.empty() && options.pod.empty())
    fail_usage("flox store closure: neither PATH nor --why is given",
               "Pass store paths, --pod NAMESPACE/NAME, or --why FROM TO.");
  const Config config = Config::load();
  const store::LocalStore store = open_store(config);
  if (!options.pod.empty())
    for (const nix::StorePath& path : find_target(store, config, {.pod = options.pod}).roots)
      options.paths.push_back(path.to_string());
  if (options.why.empty() && !options.tree && !options.sizes && !options.dot && !options.json)
    return print_paths(store, options);
  if (options.json && options.why.empty()) {
    nlohmann::json json = nlohmann::json::array();
    for (const nix::StorePath& path : store.closure(to_store_paths(options.paths)))
      json.push_back(to_json(info_of(store, path)));
    return print_json(json);
  }
  const Graph graph = store.references();
  if (!options.why.empty()) return print_why(graph, options);
  std::vector<Index> starts;
  for (const nix::StorePath& path : to_store_paths(options.paths)) starts.push_back(index_of(graph, path));
  if (options.tree) {
    Tree tree(graph, options.sizes);
    for (const Index start : starts) tree.print(start);
  } else if (options.dot) {
    print_dot(graph, reachable(graph, starts));
  } else {
    print_sizes(graph, reachable(graph, starts));
  }
}

}  // namespace

void add_store_closure(CLI::App& store) {
  auto options = std::make_shared<StoreClosureOptions>();
  auto* command = store.add_subcommand("closure", "List paths and all paths that they refer to");
  auto* paths = add_paths(*command, options->paths);
  command->add_option("--pod", options->pod, "what a pod of this node runs, as NAMESPACE/NAME")
      ->excludes(paths);
  auto* tree = command->add_flag("--tree", options->tree, "print a tree of references");
  command->add_flag("--sizes", options->sizes, "print sizes: the largest path first, or beside the tree");
  auto* dot = command->add_flag("--dot", options->dot, "print a graph for Graphviz")->excludes(tree);
  command
      ->add_option("--why", options->why,
                   "print a shortest chain of references from one path (FROM) to another (TO)")
      ->expected(2)
      ->excludes(tree)
      ->excludes(dot);
  command->add_flag("--json", options->json, "print JSON with the information on each path")
      ->excludes(tree)
      ->excludes(dot);
  command->footer(
      "Examples:\n  flox store closure --sizes /nix/store/…-web\n"
      "  flox store closure --pod shop/web-7d9c\n"
      "  flox store closure --why /nix/store/…-web /nix/store/…-openssl\n"
      "  flox store closure --dot /nix/store/…-web | dot -Tsvg >web.svg");
  command->callback([options] { show_closure(*options); });
}

}  // namespace flox::cli
