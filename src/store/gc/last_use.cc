#include "store/gc/last_use.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/os/fd.h"

namespace flox::store {
namespace {

fs::path directory_of(const LocalStore& store) { return store.state_directory() / "flox/last-used"; }

// 0 if nothing is recorded.
int64_t recorded_use(const fs::path& directory, const StorePath& path) {
  struct stat status {};
  return ::stat((directory / path.base_name()).c_str(), &status) == 0 ? status.st_mtim.tv_sec : 0;
}

}  // namespace

void record_use(const LocalStore& store, const StorePathSet& roots) noexcept {
  try {
    const fs::path directory = directory_of(store);
    for (const StorePath& path : roots) {
      const fs::path file = directory / path.base_name();
      const Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
      if (fd) ::futimens(fd.get(), nullptr);
    }
  } catch (const std::exception&) {  // out of memory: the paths count as unused since they were registered
  }
}

void forget_use(const LocalStore& store, const StorePath& path) noexcept {
  try {
    ::unlink((directory_of(store) / path.base_name()).c_str());
  } catch (const std::exception&) {  // out of memory: an empty file stays
  }
}

std::vector<int64_t> last_uses(const LocalStore& store, const ReferenceGraph& graph) {
  using Index = ReferenceGraph::Index;
  std::vector<int64_t> uses(graph.size());
  const fs::path directory = directory_of(store);
  for (Index i = 0; i < graph.size(); ++i) uses[i] = graph[i].registration_time;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(directory, none)) {
    const std::string name = entry.path().filename();
    const auto index = graph.find_digest(std::string_view(name).substr(0, nix::digest_length));
    if (index) uses[*index] = std::max(uses[*index], recorded_use(directory, graph[*index].path));
  }
  for (const Index referrer : graph.referrers_first())
    for (const Index reference : graph.references(referrer))
      uses[reference] = std::max(uses[reference], uses[referrer]);
  return uses;
}

}  // namespace flox::store
