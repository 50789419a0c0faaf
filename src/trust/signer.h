// Who signs metadata: a secret key in a file, or a program that asks a key management service or a token.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "nix/signature.h"
#include "trust/metadata.h"

namespace flox::trust {

class Signer {
 public:
  virtual ~Signer() = default;
  // The file of a secret key (NAME:BASE64, as `flox store keygen` makes it), which only its owner may read;
  // or "exec:COMMAND": COMMAND is run by /bin/sh for each signature, reads the message from standard input
  // and writes the Ed25519 signature's 128 hexadecimal digits to standard output. Throws Error for a file
  // that is no key.
  static std::unique_ptr<Signer> open(const std::string& description);
  static std::unique_ptr<Signer> of(nix::SecretKey key);

  // Signs as that one of the keys which it holds; nothing if it holds none of them. A program's signature
  // says whose it is: it is verified with each key, and one that is nobody's is nothing. Throws
  // Error(unavailable) if the program fails, with the end of what it says, and invalid_input if it writes no
  // signature.
  virtual std::optional<MetadataSignature> sign(std::string_view message, const Keys& keys) const = 0;
  // For messages: the key's name, or the command.
  virtual std::string description() const = 0;
};

// Adds the signature of each signer that holds a key of the role; the number of signatures that were added.
template <typename T>
size_t add_signatures(Signed<T>& file, const Keys& keys, const Role& role,
                      const std::vector<std::unique_ptr<Signer>>& signers) {
  Keys candidates;
  for (const std::string& id : role.keyids)
    if (const auto key = keys.find(id); key != keys.end()) candidates.insert(*key);
  size_t added = 0;
  for (const auto& signer : signers)
    if (auto signature = signer->sign(file.message, candidates)) {
      file.add(std::move(*signature));
      ++added;
    }
  return added;
}

}  // namespace flox::trust
