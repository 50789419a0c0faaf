// The newest of what owners have signed that this node has verified: of each owner targets.json, of each name
// its file. A pod's kept answer is judged by these, so that what one pod's start has brought to light (a key
// was revoked, a version yanked) counts for the restarts of all.
//
//   DIRECTORY/DIGEST   "SHA256 ROOT", a line feed, and the text, under the digest of what it is of (of an
//                      owner DIGEST.targets). ROOT is the fingerprint of the owner's root by which the text
//                      was verified, SHA256 that of "ROOT TEXT". Earlier releases wrote no ROOT: such a text
//                      is replaced by the next one that is verified.
//
// What was verified by the root in force is newer than all that was verified by another, whatever its own
// version is: whoever had a key that the owner has replaced may have signed a version that nobody reaches,
// and an owner that had to begin anew begins with the first.
//
// Nothing here is believed: who reads a text verifies it.
#pragma once  // Not fuzzed: floxd's own files; the texts in them are read by trust/metadata.h.

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>

#include "base/data/sha256.h"
#include "base/os/directory.h"
#include "trust/trust_store.h"
#include "trust/verifier.h"

namespace flox::node {

// Thread-safe.
class SignedTexts {
 public:
  // Makes the directory. At most so many texts: then the names begin anew.
  explicit SignedTexts(const std::filesystem::path& directory, size_t most = 4'096);

  // What was verified of the name ("packages/hello") by `store`. Older texts than those that are known change
  // nothing, nor do those of a root that is not in force any more. Trouble with the disk is logged.
  void remember(const trust::Evidence& evidence, const std::string& name, const trust::TrustStore& store);

  // Empty: none is known.
  std::string targets_of(const std::string& owner) const;
  std::string name_file_of(const std::string& owner, const std::string& name) const;

 private:
  struct Text {
    std::string root = {};  // empty: of an earlier release, or none
    std::string text;
  };
  struct Known {
    Sha256Digest digest{};
    std::string root = {};
    uint64_t version = 0;
  };
  template <typename File>
  void put(const std::string& of, const std::string& text, const std::string& root);
  Text read(const std::string& of) const;
  void begin_anew();

  Directory directory_;
  size_t most_;
  mutable std::mutex mutex_;
  std::map<std::string, Known> known_;  // by file name, since this floxd started
};

}  // namespace flox::node
