// Signatures that a file has of those that it needs, and adding one's own: for files that several holders of
// keys sign one after the other, each on a machine of their own.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "trust/metadata.h"
#include "trust/signer.h"

namespace flox::trust {

using Signers = std::vector<std::unique_ptr<Signer>>;

// One file and the signatures that it has and needs: of a root its own and those of the root before, of a
// name's file those of the role that lacks the fewest.
struct SigningState {
  std::filesystem::path path;
  std::string what;  // "root.json version 2"
  size_t signatures = 0, needed = 0;
  std::vector<std::string>
      lacking;  // keys, for people, that could sign and have not; empty if none is needed
  bool complete() const noexcept { return lacking.empty(); }
};

// Adds the signature of each signer that holds a key which may sign the file: of the root its own root keys
// and those of the root before (none for version 1). The number of signatures that were added or replaced.
size_t sign(Signed<Root>& root, const Signed<Root>* before, const Signers& signers);
size_t sign(Signed<Targets>& targets, const Root& root, const Signers& signers);
// The same for a name's file: the keys of the roles that cover the name.
size_t sign(Signed<NameFile>& file, const Targets& targets, const Signers& signers);
// Takes over the valid signatures of a copy by keys that may sign the file.
void take_signatures(Signed<Root>& root, const Signed<Root>& copy, const Signed<Root>* before);
void take_signatures(Signed<Targets>& targets, const Signed<Targets>& copy, const Root& root);
void take_signatures(Signed<NameFile>& file, const Signed<NameFile>& copy, const Targets& targets);
// The signatures that a file has of those that it needs.
SigningState signing_state(const Signed<Root>& root, const Signed<Root>* before);
SigningState signing_state(const Signed<Targets>& targets, const Root& root);
SigningState signing_state(const Signed<NameFile>& file, const Targets& targets);

// The file with the valid signatures of all copies, which different holders have signed. Throws
// Error(invalid_input) if there is none or if they do not say the same.
Signed<NameFile> merged(const std::vector<Signed<NameFile>>& copies, const Targets& targets);

}  // namespace flox::trust
