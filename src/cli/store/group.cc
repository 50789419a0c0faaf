// flox store: the store itself, below environments and packages.
#include "cli/commands.h"
#include "cli/store/commands.h"

namespace flox::cli {

void add_store(CLI::App& app) {
  auto* store = app.add_subcommand("store", "The store itself: paths, closures, caches, keys, garbage");
  store->require_subcommand(1)->fallthrough();
  add_store_add(*store);
  add_store_realise(*store);
  add_store_info(*store);
  add_store_files(*store);
  add_store_closure(*store);
  add_store_copy(*store);
  add_store_verify(*store);
  add_store_optimise(*store);
  add_store_roots(*store);
  add_store_gc(*store);
  add_store_keys(*store);
  add_store_serve(*store);
}

}  // namespace flox::cli
