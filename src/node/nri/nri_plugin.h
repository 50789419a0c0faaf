// floxd as a plugin of containerd's: pods of any runtime get their environment by annotation, without a
// RuntimeClass (docs/explanation/any-runtime.md).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "node/nri/nri_container.h"
#include "protocol/node.pb.h"

namespace flox::node {

// A container that runs, or will, and that names an environment.
struct NriContainer {
  v1::PrepareRequest identity;  // who it is, and whose pod's
  std::string store;            // what is mounted at /nix/store; empty: it was made without its packages
  std::string profile;          // its variable FLOX_ENV
};

// What became of a container that names an environment.
enum class NriOutcome {
  prepared,
  refused,
  waiting,  // what it needs was not there when containerd would have given the plugin up
};

// What the plugin asks of the rest of floxd.
struct NriHost {
  // Whose turns a pod's work has.
  std::function<std::string(const std::string& pod_namespace, const std::string& pod_id)> tenant_of;
  // Runs work that may block, in the turn of its tenant (FairThreads::post).
  std::function<void(const std::string& tenant, std::function<void()> work)> run;
  // As a shim's Prepare; blocks. `is_gone` becomes true when nobody waits any more.
  std::function<v1::PrepareResponse(const v1::PrepareRequest& request, const std::function<bool()>& is_gone)>
      prepare;
  // The others are called on the plugin's executor and may not block.
  std::function<void(const std::string& container_id)> release;
  // All containers there are, as containerd says when the plugin has connected.
  std::function<void(std::vector<NriContainer> containers)> synchronise;
  std::function<void(bool)> connected;
  std::function<void(NriOutcome)> counted;
};

struct NriOptions {
  std::filesystem::path socket;
  std::vector<std::string> other_handlers;  // runtime handlers whose shim does all this itself
};

// Connects, and again whenever the connection has ended, until it is destroyed or its executor stops.
class NriPlugin {
 public:
  // One thread runs the executor.
  NriPlugin(boost::asio::any_io_executor executor, NriOptions options, NriHost host);
  ~NriPlugin();

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace flox::node
