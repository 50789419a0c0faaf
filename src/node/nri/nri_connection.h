// One connection of a plugin to containerd's NRI socket: two ttrpc connections on it, of which the plugin
// serves one and asks on the other.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "base/os/fd.h"
#include "node/nri/multiplexer.h"
#include "node/nri/nri.pb.h"
#include "ttrpc/frame_reader.h"
#include "ttrpc/server.h"

namespace flox::node {

namespace nri_api = ::nri::pkg::api::v1alpha1;

// All coroutines run on one strand. Made for one run.
class NriConnection : public std::enable_shared_from_this<NriConnection> {
 public:
  // Connects. Throws Error: unavailable if nobody listens, untrusted if another user does: whoever listens
  // says which pods there are.
  NriConnection(boost::asio::any_io_executor executor, const std::string& socket);

  // The services that containerd asks on this connection.
  ttrpc::Server& server() noexcept { return server_; }
  // Registers the plugin and serves until the connection ends, which it tells by Error: unavailable when
  // containerd has closed it, or did not answer `within`, and invalid_input for bytes that are no protocol.
  boost::asio::awaitable<void> run(nri_api::RegisterPluginRequest plugin, std::chrono::milliseconds within);
  void close();

 private:
  using Socket = boost::asio::local::stream_protocol::socket;
  // One of the two ttrpc connections: what arrives for it is written to `inner`, whose other end has it.
  boost::asio::awaitable<void> read_trunk();
  boost::asio::awaitable<void> write_answers();
  boost::asio::awaitable<void> registered(nri_api::RegisterPluginRequest plugin,
                                          std::chrono::milliseconds within);

  std::string path_;
  Socket trunk_;
  ttrpc::Server server_;
  Socket served_;         // the other end is the server's
  Socket asked_, asker_;  // containerd's answers: written to one end, read at the other
  ttrpc::FrameReader answers_{served_};
  ttrpc::FrameReader replies_{asker_};
};

}  // namespace flox::node
