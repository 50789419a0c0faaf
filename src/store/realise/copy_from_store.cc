#include "store/realise/copy_from_store.h"

#include "base/error.h"
#include "nix/nar.h"
#include "store/fetch/unpacked_tree.h"
#include "store/local/work_directory.h"

namespace flox::store {

uint64_t copy_from_store(const LocalStore& from, LocalStore& to, const nix::StorePathSet& paths) {
  for (const StorePath& path : paths)
    if (!from.is_valid(path))
      fail(ErrorKind::not_found, "{} is not in the store of {}", path.to_string(), from.root().string());
  const StorePathSet closure = from.closure(paths);
  to.add_temp_roots(closure);
  const WorkDirectory work(to.scratch_directory());
  std::vector<ReadyTree> trees;
  for (const StorePath& path : closure) {
    if (to.is_valid(path)) continue;
    in_context(fmt::format("copying {} from the store of {}", path.to_string(), from.root().string()), [&] {
      auto info = from.query(path);
      if (!info) fail(ErrorKind::not_found, "it has been collected meanwhile");
      info->ultimate = false;
      const fs::path tree = work.path() / path.base_name();
      nix::NarUnpacker unpacker(tree);
      nix::write_nar(from.real_path(path), [&](std::string_view piece) { unpacker.feed(piece); });
      unpacker.finish();
      verify_unpacked(tree, *info);
      trees.push_back({.info = *std::move(info), .tree = tree});
    });
  }
  to.install(trees);
  return trees.size();
}

}  // namespace flox::store
