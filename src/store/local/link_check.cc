#include "store/local/link_check.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/printable.h"
#include "nix/nar.h"
#include "store/local/store_tree.h"

namespace flox::store {

void require_links_inside(const LocalStore& store, const StorePath& path) {
  const StoreTree files(store.store_directory());
  std::set<std::string, std::less<>> closure;
  for (const StorePath& member : store.closure({path})) closure.insert(member.base_name());
  auto may_enter = [&](std::string_view base_name) { return closure.contains(base_name); };

  std::vector<std::string> open{path.base_name()};  // no recursion: whoever made the tree chose its depth
  while (!open.empty()) {
    const std::string at = std::move(open.back());
    open.pop_back();
    const auto status = files.status(at);
    if (!status) continue;  // what is registered and missing is found by who reads the path
    if (S_ISLNK(status->st_mode)) {
      try {
        files.resolve(at, may_enter);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::untrusted) throw;
        throw error.with_advice(
            "Whoever runs the package would follow that link out of it. Make the package refer to "
            "the store path that it needs, or leave the link out.");
      }
    }
    if (!S_ISDIR(status->st_mode)) continue;
    if (static_cast<size_t>(std::ranges::count(at, '/')) > nix::max_nar_depth)
      fail(ErrorKind::invalid_input, "{} is more than {} directories deep", printable(at),
           nix::max_nar_depth);
    for (const std::string& name : files.directory(at).names()) open.push_back(at + "/" + name);
  }
}

}  // namespace flox::store
