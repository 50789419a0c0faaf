#include "node/floxd/pod_server.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "node/floxd/prefetch_messages.h"
#include "protocol/pod.ttrpc.h"
#include "protocol/prefetch.ttrpc.h"
#include "protocol/status.ttrpc.h"

namespace flox::node {

namespace asio = boost::asio;

namespace {

Budget budget_of(ttrpc::Refusal refusal) {
  switch (refusal) {
    case ttrpc::Refusal::identity:
      return Budget::identity;
    case ttrpc::Refusal::connections:
      return Budget::connections;
    case ttrpc::Refusal::message:
      return Budget::message;
    case ttrpc::Refusal::calls:
    case ttrpc::Refusal::bytes:
      return Budget::requests;
    case ttrpc::Refusal::slow:
      return Budget::slow;
  }
  return Budget::requests;
}

ttrpc::ServerOptions options(const Config& config, const PodService& service, Metrics& metrics) {
  // A message holds a lock and little else; the frame is what a client may find larger than it should be, the
  // lock's own limit says so.
  constexpr size_t least_message = 512 << 10;
  return {
      .identify = [&service](const ttrpc::PeerProcess& process) -> ttrpc::Caller {
        Container container = service.identify(process);
        std::string pod = pod_holder(container);
        return {.name = std::move(pod), .identity = std::move(container)};
      },
      .limits = {.message = config.pod_lock_size.bytes == 0
                                ? ttrpc::max_payload
                                : std::max<size_t>(least_message, config.pod_lock_size.bytes + (64 << 10)),
                 .connections = config.pods_connections,
                 .connections_of_client = config.pod_connections,
                 .calls_of_connection = 8,
                 .bytes = 16 << 20,
                 .bytes_of_client = 4 << 20,
                 .unread = 64 << 10,
                 .idle_time = std::chrono::minutes(1),
                 .frame_time = std::chrono::seconds(15)},
      .refused = [&metrics](ttrpc::Refusal refusal) { metrics.refused(budget_of(refusal)); }};
}

}  // namespace

// Calls block, so the queue's threads run them; a call that takes too long is answered before its work ends.
template <typename RequestMessage, typename ResponseMessage>
void PodServer::handle(const ttrpc::Method<RequestMessage, ResponseMessage>& method,
                       std::function<ResponseMessage(const RequestMessage&, const Container&)> answer) {
  server_.handle(
      method, [this, answer](RequestMessage request, ttrpc::Call call) -> asio::awaitable<ResponseMessage> {
        auto message = std::make_shared<const RequestMessage>(std::move(request));
        auto container = std::any_cast<Container>(std::move(call.identity));
        std::string pod = pod_holder(container), tenant = tenant_of(container);
        std::function<ResponseMessage()> work = [this, answer, message, asking = std::move(container)] {
          return answer(*message, asking);
        };
        co_return co_await queue_.run(std::move(pod), std::move(tenant), std::move(work));
      });
}

PodServer::PodServer(const Config& config, PodService& service, Prefetcher& prefetches,
                     const StatusService& status, Budgets& budgets, FairThreads& threads, Metrics& metrics)
    : service_(service),
      prefetches_(prefetches),
      status_(status),
      budgets_(budgets),
      server_(loop_.get_executor(), ttrpc::listen_at(config.pod_socket_dir / "pod.sock", 0666),
              options(config, service, metrics)),
      queue_(config, threads, metrics) {
  handle(pod::v1::Pod::DefaultEnvironment, &PodService::default_environment);
  handle(pod::v1::Pod::Resolve, &PodService::resolve);
  handle(pod::v1::Pod::Realise, &PodService::realise);
  using namespace prefetch::v1;
  // A container that has ended asks for nothing more, whoever has its connection.
  const auto current = [this](const Container& asking) {
    service_.check_current(asking);
    return &asking;
  };
  handle(Prefetches::Add, std::function<Answer(const AddRequest&, const Container&)>(
                              [this, current](const AddRequest& request, const Container& asking) {
                                return prefetch_add(prefetches_, current(asking), request);
                              }));
  handle(Prefetches::Show, std::function<Answer(const ShowRequest&, const Container&)>(
                               [this, current](const ShowRequest& request, const Container& asking) {
                                 return prefetch_show(prefetches_, current(asking), request);
                               }));
  handle(Prefetches::Cancel, std::function<Answer(const CancelRequest&, const Container&)>(
                                 [this, current](const CancelRequest& request, const Container& asking) {
                                   return prefetch_cancel(prefetches_, current(asking), request);
                                 }));
  using status::v1::StartsAnswer, status::v1::StartsRequest;
  handle(status::v1::Status::Starts,
         std::function<StartsAnswer(const StartsRequest&, const Container&)>(
             [this, current](const StartsRequest& request, const Container& asking) {
               return status_.starts(current(asking), request);
             }));
  thread_ = std::thread([this] { loop_.run(); });
}

PodServer::~PodServer() {
  loop_.stop();
  thread_.join();
}

BudgetUse PodServer::use() const {
  BudgetUse use = budgets_.use();
  use.connections = server_.connections();
  std::tie(use.all.requests, use.most.requests) = queue_.requests();
  return use;
}

}  // namespace flox::node
