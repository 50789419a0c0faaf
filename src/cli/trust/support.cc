#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/os/file.h"
#include "base/settings/units.h"
#include "cli/publishing.h"
#include "cli/say.h"
#include "cli/trust/commands.h"

namespace flox::cli {
namespace {

constexpr size_t most_key_bytes = 4 << 10;
constexpr std::chrono::hours longest_life = std::chrono::hours(24) * 366 * 20;

}  // namespace

trust::TrustStore open_trust(const Config& config) {
  return {config.trust_directory(), config.trust_state_directory()};
}

void add_owner(CLI::App& command, std::string& owner) {
  command.add_option("OWNER", owner, "the organisation or team, as in OWNER/ENVIRONMENT")->required();
}

void add_signers(CLI::App& command, std::vector<std::string>& descriptions) {
  command.add_option(
      "--signer", descriptions,
      "further key to sign with: a file (mode 600), or exec:COMMAND, which reads the message and "
      "writes the Ed25519 signature in hexadecimal");
}

void add_life(CLI::App& command, std::string& text) {
  command.add_option("--life", text, "how long the signed files are valid, as 90d (default 365d)");
}

trust::Time expiry(const std::string& text, std::chrono::seconds fallback) {
  const auto life = text.empty() ? fallback : in_context("--life", [&] { return parse_duration(text); });
  if (life.count() <= 0 || life > longest_life)
    throw Error(ErrorKind::invalid_input,
                fmt::format("--life: '{}' is not from 1s to {}", text, exact_duration_text(longest_life)),
                "Write a duration, as 90d.");
  return trust::now() + life;
}

trust::Signers open_signers(const std::vector<std::string>& descriptions) {
  trust::Signers signers;
  for (const std::string& description : descriptions) signers.push_back(trust::Signer::open(description));
  return signers;
}

trust::Signers signers_for(const trust::OwnerRepository& repository,
                           const std::vector<std::string>& descriptions) {
  trust::Signers signers = repository.kept_signers();
  for (auto& signer : open_signers(descriptions)) signers.push_back(std::move(signer));
  return signers;
}

trust::Key public_key_of(const std::string& text) {
  const auto parsed = [](const std::string& candidate) -> std::optional<nix::PublicKey> {
    try {
      return nix::PublicKey::parse(candidate);
    } catch (const Error&) {
      return std::nullopt;  // perhaps the name of a file
    }
  };
  if (const auto key = parsed(text)) return trust::Key::of(*key);
  if (std::error_code error; !fs::is_regular_file(text, error))
    throw Error(ErrorKind::invalid_input,
                fmt::format("'{}' is neither a public key nor a file of a key", text),
                "Write NAME:BASE64, as 'flox store keygen' prints it, or the name of a file.");
  if (const auto key = parsed(read_file(text, most_key_bytes))) return trust::Key::of(*key);
  return trust::Key::of(read_signing_key(text).public_key());
}

trust::Key catalog_key(const std::string& text, const Config& config) {
  return text.empty() ? trust::Key::of(catalog::Client(config.catalog_url).online_key())
                      : public_key_of(text);
}

void report(const trust::ChangeOutcome& outcome, const std::string& owner) {
  for (const trust::SigningState& file : outcome.files)
    if (file.complete())
      say("✔ Signed {} of {}: {}\n", file.what, owner, file.path.string());
    else
      say("  {} of {} has {} of {} signatures: {}\n    it lacks {}\n", file.what, owner, file.signatures,
          file.needed, file.path.string(), fmt::join(file.lacking, ", "));
  if (!outcome.complete)
    say("Nothing changes before all signatures are there. Give the file to the holder of such a key, who "
        "runs\n'flox trust sign FILE', and run 'flox trust sign' on what comes back.\n");
}

}  // namespace flox::cli
