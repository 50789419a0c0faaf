// The mount of a store that another node writes: where this node's floxd has it, and whether it is there and
// that store. A file server that is away stops whoever touches the mount, so nobody here does but a thread of
// its own.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "nix/store_path.h"

namespace flox::node {

// Shows `mount`, the writer's /nix/store as it is mounted on this node, read-only at ROOT/nix/store, where
// nothing can be written to it then. A mount that is there already stays, read-only from now on. Throws
// Error: unavailable if the mount does not answer within the patience.
void show_shared_store(const std::filesystem::path& mount, const std::filesystem::path& root,
                       std::chrono::milliseconds patience = std::chrono::seconds(5));

// By what the writer's store is known: a file of it, and its text, which no other store has.
struct StoreIdentity {
  nix::StorePath path;
  std::string text;
};

// Thread-safe.
class SharedMount {
 public:
  // `store`: ROOT/nix/store.
  SharedMount(std::filesystem::path store, std::string writer, std::chrono::milliseconds patience);
  ~SharedMount();
  SharedMount(const SharedMount&) = delete;
  SharedMount& operator=(const SharedMount&) = delete;

  // Throws Error(unavailable) unless the mount answers within the patience, and is the store of that
  // identity.
  void require(const StoreIdentity& identity);
  // The same for paths that the writer has just made, which a client of NFS may need a moment to see.
  void require(const nix::StorePathSet& paths);

 private:
  struct Looking;
  // What `look` gives: the reason why it is not so; nothing: it is. Run by a thread that nobody waits for
  // when it hangs; while one hangs, no other one begins.
  std::optional<std::string> ask(std::function<std::optional<std::string>()> look);
  [[noreturn]] void refuse(const std::string& reason) const;

  const std::filesystem::path store_;
  const std::string writer_;
  const std::chrono::milliseconds patience_;
  std::shared_ptr<Looking> looking_;
};

}  // namespace flox::node
