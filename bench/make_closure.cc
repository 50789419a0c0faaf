// Adds COUNT store paths to the store at ROOT, the last of which refers to all the others, and prints it: a
// closure of known size for benchmarks.
//   make_closure ROOT COUNT
#include <cstdio>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "store/local_store.h"

int main(int argc, char** argv) {
  using namespace flox;
  if (argc != 3) {
    std::fputs("usage: make_closure ROOT COUNT\n", stderr);
    return 2;
  }
  try {
    store::LocalStore store(argv[1]);
    const int count = std::stoi(argv[2]);
    nix::StorePathSet parts;
    std::string references;
    for (int i = 1; i < count; ++i) {
      TempDir tree("part-");
      std::filesystem::create_directories(tree.path() / "share");
      write_file(tree.path() / "share" / ("part-" + std::to_string(i)), std::to_string(i) + "\n");
      const nix::PathInfo info = store.add_tree(tree.path(), "part-" + std::to_string(i), {});
      references += info.path.to_string() + "\n";
      parts.insert(info.path);
    }
    TempDir tree("whole-");
    std::filesystem::create_directories(tree.path() / "share");
    write_file(tree.path() / "share/references", references);
    std::puts(store.add_tree(tree.path(), "whole-1.0", parts).path.to_string().c_str());
    return 0;
  } catch (const std::exception& error) {
    print_error(error);
    return exit_failure;
  }
}
