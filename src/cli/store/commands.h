// The subcommands of flox store, one file each, and what they share.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/progress_line.h"
#include "node/floxd/config.h"
#include "store/local/local_store.h"

namespace flox::cli {

void add_store_add(CLI::App& store);
void add_store_realise(CLI::App& store);
void add_store_info(CLI::App& store);
void add_store_ls(CLI::App& store);
void add_store_cat(CLI::App& store);
void add_store_closure(CLI::App& store);
void add_store_copy(CLI::App& store);
void add_store_index(CLI::App& store);
void add_store_mount(CLI::App& store);
void add_store_verify(CLI::App& store);
void add_store_optimise(CLI::App& store);
void add_store_roots(CLI::App& store);
void add_store_leases(CLI::App& store);
void add_store_gc(CLI::App& store);
void add_store_keygen(CLI::App& store);
void add_store_key(CLI::App& store);
void add_store_sign(CLI::App& store);
void add_store_serve(CLI::App& store);

store::LocalStore open_store(const Config& config);

// The option PATH…, one or more store paths, or paths below them.
CLI::Option* add_paths(CLI::App& command, std::vector<std::string>& paths);
nix::StorePathSet to_store_paths(const std::vector<std::string>& paths);

// Throws Error(not_found) with advice.
nix::PathInfo info_of(const store::LocalStore& store, const nix::StorePath& path);
// Where the files of /nix/store/…/x are; the store path itself must be valid, else throws Error(not_found).
std::filesystem::path real_path_of(const store::LocalStore& store, const std::string& path);
nlohmann::json to_json(const nix::PathInfo& info);
nlohmann::json to_json(const nix::StorePathSet& paths);
void print_json(const nlohmann::json& json);

// Caches that the configuration names, the catalog's own first; with `named`, those instead.
std::vector<std::string> caches_of(const Config& config, const std::vector<std::string>& named);

}  // namespace flox::cli
