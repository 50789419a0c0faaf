// A command's side of the keeper: finding or starting it, and asking.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "activation/keeper/messages.h"
#include "base/os/fd.h"

namespace flox::activation {

namespace fs = std::filesystem;

// Where an environment's keeper is and writes.
struct KeeperPlace {
  fs::path directory;  // this user's alone: keeper.h
  fs::path logs;       // this user's: services/NAME.log, hooks/hook.on-deactivate.log
};

// The directory of the keeper of the environment in `environment`, made if it is missing: below the user's
// cache directory, named after the environment, the store's root, the machine's boot and the namespace of its
// processes, for that is how far a keeper sees. Throws Error if no directory can be made.
fs::path keeper_directory(const fs::path& environment, const fs::path& root);

// A connection. Not thread-safe.
class KeeperClient {
 public:
  // Nothing if there is no keeper. Throws Error(untrusted) if it is not this user's.
  static std::optional<KeeperClient> find(const fs::path& directory);
  // Starts one if there is none. Waits for an old one to stop its services; `waiting` is called if that takes
  // a while.
  static KeeperClient find_or_start(const KeeperPlace& place, const std::function<void()>& waiting = {});

  // Throws Error: what the keeper refuses; unavailable if it has ended.
  Answer ask(const Request& request);
  Answer status() { return ask(Request()); }

 private:
  explicit KeeperClient(Fd socket) : socket_(std::move(socket)) {}

  Fd socket_;
};

// Begins to be in an environment: asks its keeper, started if need be, also if the one that was asked ends
// meanwhile. The client that asked is given too: whoever is to run the hook says there that it has.
struct Begun {
  KeeperClient client;
  Answer answer;
};
Begun begin(const KeeperPlace& place, const Request& request, const std::function<void()>& waiting = {});

}  // namespace flox::activation
