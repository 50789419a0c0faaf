// The subcommands of flox auth and flox owner, one file each.
#pragma once

#include <CLI/CLI.hpp>

namespace flox::cli {

void add_auth_login(CLI::App& auth);
void add_auth_logout(CLI::App& auth);
void add_auth_status(CLI::App& auth);
void add_auth_token(CLI::App& auth);
void add_auth_token_create(CLI::App& token);
void add_auth_token_list(CLI::App& token);
void add_auth_token_revoke(CLI::App& token);

void add_owner_list(CLI::App& owner);
void add_owner_create(CLI::App& owner);
void add_owner_members(CLI::App& owner);
void add_owner_add(CLI::App& owner);
void add_owner_remove(CLI::App& owner);
void add_owner_visibility(CLI::App& owner);

}  // namespace flox::cli
