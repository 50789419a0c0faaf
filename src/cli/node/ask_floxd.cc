#include "cli/node/ask_floxd.h"

#include "cli/local_or_pod.h"
#include "cli/variables.h"
#include "node/floxd/config.h"

namespace flox::cli {

std::string floxd_socket() {
  return in_pod() ? CliVariables::read().pod_socket.string() : Config::load().node_socket.string();
}

Error asking_failed(const Error& error) {
  if (error.kind() != ErrorKind::unavailable) return error;
  return error.with_context("asking this node's floxd")
      .with_advice(in_pod() ? "Ask the operator of this node to run 'flox node status'."
                            : "Run this as root on a node whose floxd runs: 'flox node status' tells.");
}

}  // namespace flox::cli
