#include "trust/signer.h"

#include "base/data/bytes.h"
#include "base/data/secret.h"
#include "base/error.h"
#include "base/os/process.h"
#include "base/printable.h"

namespace flox::trust {
namespace {

constexpr std::string_view command_prefix = "exec:";
constexpr size_t signature_size = 64;  // bytes
constexpr size_t told = 300;           // characters of what a command says

// Without what ends its last line.
std::string_view without_end(std::string_view text) {
  const size_t end = text.find_last_not_of("\r\n ");
  return text.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

class KeySigner : public Signer {
 public:
  explicit KeySigner(nix::SecretKey key) : key_(std::move(key)), id_(Key::of(key_.public_key()).id()) {}

  std::optional<MetadataSignature> sign(std::string_view message, const Keys& keys) const override {
    if (!keys.contains(id_)) return std::nullopt;
    const auto signature = nix::Signature::parse(key_.sign(message));
    if (!signature) fail(ErrorKind::internal, "key '{}' made no signature", key_.name);
    return MetadataSignature{.keyid = id_, .bytes = signature->bytes};
  }
  std::string description() const override { return fmt::format("key '{}'", key_.name); }

 private:
  nix::SecretKey key_;
  std::string id_;
};

class CommandSigner : public Signer {
 public:
  explicit CommandSigner(std::string command) : command_(std::move(command)) {}

  std::optional<MetadataSignature> sign(std::string_view message, const Keys& keys) const override {
    const std::string signature = in_context(description(), [&] { return ask(message); });
    for (const auto& [id, key] : keys)
      if (nix::verifies({.name = {}, .bytes = key.bytes}, message, signature))
        return MetadataSignature{.keyid = id, .bytes = signature};
    return std::nullopt;
  }
  std::string description() const override {
    return fmt::format("the command '{}'", printable(command_, told));
  }

 private:
  std::string ask(std::string_view message) const {
    const Outcome outcome = run({.argv = {"/bin/sh", "-c", command_}, .input = std::string(message)});
    if (outcome.exit_code != 0)
      fail(ErrorKind::unavailable, "it ended with exit code {}: {}", outcome.exit_code,
           printable(without_end(outcome.err), told));
    const std::string_view text = without_end(outcome.out);
    if (text.size() == 2 * signature_size) {
      try {
        return from_hex(text);
      } catch (const Error&) {
      }
    }
    fail(ErrorKind::invalid_input, "it wrote '{}' instead of a signature of {} hexadecimal digits",
         printable(text, told), 2 * signature_size);
  }

  std::string command_;
};

}  // namespace

std::unique_ptr<Signer> Signer::open(const std::string& description) {
  if (description.starts_with(command_prefix)) {
    std::string command = description.substr(command_prefix.size());
    if (command.find_first_not_of(' ') == std::string::npos)
      fail(ErrorKind::invalid_input, "'{}' names no command", description);
    return std::make_unique<CommandSigner>(std::move(command));
  }
  return of(in_context("the signing key " + description,
                       [&] { return nix::SecretKey::parse(read_secret_file(description).reveal()); }));
}

std::unique_ptr<Signer> Signer::of(nix::SecretKey key) { return std::make_unique<KeySigner>(std::move(key)); }

}  // namespace flox::trust
