// The subcommands of flox catalog, one file each.
#pragma once

#include <CLI/CLI.hpp>

namespace flox::cli {

void add_catalog_serve(CLI::App& catalog);
void add_catalog_gc(CLI::App& catalog);
void add_catalog_retention(CLI::App& catalog);
void add_catalog_retention_show(CLI::App& retention);
void add_catalog_retention_set(CLI::App& retention);
void add_catalog_retention_apply(CLI::App& retention);

}  // namespace flox::cli
