#include "ttrpc/limits.h"

namespace flox::ttrpc {
namespace {

bool over(size_t now, size_t more, size_t limit) {
  return limit != 0 && more != 0 && (more > limit || now > limit - more);
}

}  // namespace

bool Ledger::take(const std::string& client, size_t connections, size_t bytes) {
  const std::scoped_lock lock(mutex_);
  const auto found = by_client_.find(client);
  const Use use = found == by_client_.end() ? Use{} : found->second;
  if (over(all_.connections, connections, limits_.connections) ||
      over(use.connections, connections, limits_.connections_of_client) ||
      over(all_.bytes, bytes, limits_.bytes) || over(use.bytes, bytes, limits_.bytes_of_client))
    return false;
  all_.connections += connections;
  all_.bytes += bytes;
  by_client_[client] = {use.connections + connections, use.bytes + bytes};
  return true;
}

void Ledger::give_back(const std::string& client, size_t connections, size_t bytes) {
  const std::scoped_lock lock(mutex_);
  all_.connections -= connections;
  all_.bytes -= bytes;
  const auto found = by_client_.find(client);
  found->second.connections -= connections;
  found->second.bytes -= bytes;
  if (found->second.connections + found->second.bytes == 0) by_client_.erase(found);
}

size_t Ledger::connections() const {
  const std::scoped_lock lock(mutex_);
  return all_.connections;
}

}  // namespace flox::ttrpc
