// flox store: the commands that work on store paths.
#include "cli/commands.h"
#include "cli/store/commands.h"

namespace flox::cli {

void add_store(CLI::App& app) {
  auto* store = app.add_subcommand("store", "Inspect, copy, sign, verify and collect store paths");
  store->require_subcommand(1)->fallthrough();
  store->footer("Examples:\n  flox store closure --sizes /nix/store/…-web\n  flox store gc --keep-newer 30d");
  add_store_add(*store);
  add_store_realise(*store);
  add_store_info(*store);
  add_store_ls(*store);
  add_store_cat(*store);
  add_store_closure(*store);
  add_store_copy(*store);
  add_store_index(*store);
  add_store_mount(*store);
  add_store_verify(*store);
  add_store_optimise(*store);
  add_store_roots(*store);
  add_store_leases(*store);
  add_store_gc(*store);
  add_store_keygen(*store);
  add_store_key(*store);
  add_store_sign(*store);
  add_store_serve(*store);
}

}  // namespace flox::cli
