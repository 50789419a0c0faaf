// The subcommands of flox trust, one file each, and what they share.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "node/floxd/config.h"
#include "trust/owner_repository.h"
#include "trust/trust_store.h"

namespace flox::cli {

void add_trust_init(CLI::App& trust);
void add_trust_add_key(CLI::App& trust);
void add_trust_rotate(CLI::App& trust);
void add_trust_revoke(CLI::App& trust);
void add_trust_renew(CLI::App& trust);
void add_trust_sign(CLI::App& trust);
void add_trust_show(CLI::App& trust);
void add_trust_accept(CLI::App& trust);
void add_trust_publish(CLI::App& trust);

// Who is trusted, where the configuration says. Throws Error if it does not say where.
trust::TrustStore open_trust(const Config& config);

// OWNER, required.
void add_owner(CLI::App& command, std::string& owner);
// --signer FILE|exec:COMMAND, any number.
void add_signers(CLI::App& command, std::vector<std::string>& descriptions);
// --life: how long what is signed is valid.
void add_life(CLI::App& command, std::string& text);
// Now and so long; `fallback` if the text is empty. Throws Error(invalid_input).
trust::Time expiry(const std::string& text, std::chrono::seconds fallback);

trust::Signers open_signers(const std::vector<std::string>& descriptions);
// Those, after the keys that the owner's repository keeps here.
trust::Signers signers_for(const trust::OwnerRepository& repository,
                           const std::vector<std::string>& descriptions);
// A key that somebody names: NAME:BASE64, or the file of a public or a secret key. Throws
// Error(invalid_input).
trust::Key public_key_of(const std::string& text);
// The key with which the catalog signs timestamps: named so, or as the configured catalog says.
trust::Key catalog_key(const std::string& text, const Config& config);

// Says on standard error what was written, what still lacks signatures, and what to do next.
void report(const trust::ChangeOutcome& outcome, const std::string& owner);

}  // namespace flox::cli
