// The pod socket, with an event loop and threads of its own: the start of a container does not wait for
// requests of pods, whatever they send.
#pragma once

#include <boost/asio/io_context.hpp>
#include <thread>

#include "node/floxd/pod_queue.h"
#include "node/floxd/pod_service.h"
#include "node/floxd/prefetcher.h"
#include "node/floxd/status_service.h"
#include "ttrpc/server.h"

namespace flox::node {

// Serves from construction to destruction. A connection belongs to the container whose process made it, for
// as long as it lasts, whoever holds the socket later: a container that hands its connection to another one
// lets that one ask for it, and pays.
class PodServer {
 public:
  // All must outlive it; `threads`, whose work is pods' requests, are stopped before it goes.
  PodServer(const Config& config, PodService& service, Prefetcher& prefetches, const StatusService& status,
            Budgets& budgets, FairThreads& threads, Metrics& metrics);
  ~PodServer();

  // With connections and requests.
  BudgetUse use() const;

 private:
  template <typename RequestMessage, typename ResponseMessage>
  void handle(const ttrpc::Method<RequestMessage, ResponseMessage>& method,
              std::function<ResponseMessage(const RequestMessage&, const Container&)> answer);
  template <typename RequestMessage, typename ResponseMessage>
  void handle(const ttrpc::Method<RequestMessage, ResponseMessage>& method,
              ResponseMessage (PodService::*answer)(const RequestMessage&, const Container&)) {
    handle(method, std::function<ResponseMessage(const RequestMessage&, const Container&)>(
                       [this, answer](const RequestMessage& request, const Container& asking) {
                         return (service_.*answer)(request, asking);
                       }));
  }

  PodService& service_;
  Prefetcher& prefetches_;
  const StatusService& status_;
  const Budgets& budgets_;
  boost::asio::io_context loop_;
  ttrpc::Server server_;
  PodQueue queue_;
  std::thread thread_;
};

}  // namespace flox::node
