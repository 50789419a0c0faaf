// Asks the floxd that writes the shared store. What it answers is believed only if it shows that it has this
// node's key, and that it is the answer to this very question.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/data/secret.h"
#include "base/error.h"
#include "base/settings/address.h"
#include "protocol/shared_store.pb.h"

namespace flox::node {

// What the writer has answered instead: it can be reached.
class WriterRefusal : public Error {
 public:
  explicit WriterRefusal(const Error& error) : Error(error) {}
};

// Thread-safe; calls block.
class WriterClient {
 public:
  struct Options {
    std::string writer;                   // HOST:PORT
    std::optional<AddressPort> resolver;  // as store::addresses_of_peers has it
    std::function<Secret()> key;          // this node's, now
    std::string node;
    std::string instance;
    std::chrono::milliseconds timeout{10'000};  // for one question
  };
  explicit WriterClient(Options options) : options_(std::move(options)) {}
  const std::string& writer() const noexcept { return options_.writer; }

  // Each throws Error: unavailable if the writer cannot be reached, untrusted if the answer is not its own,
  // or WriterRefusal.
  shared::v1::HelloAnswer ask(shared::v1::HelloRequest request) const;
  shared::v1::RealiseAnswer ask(shared::v1::RealiseRequest request) const;
  shared::v1::LeasesAnswer ask(shared::v1::LeasesRequest request) const;

 private:
  template <typename Answer, typename Request>
  Answer exchange(std::string_view path, Request request) const;
  std::string send(std::string_view path, const std::string& body) const;

  const Options options_;
};

}  // namespace flox::node
