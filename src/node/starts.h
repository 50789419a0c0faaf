// Which containers are being started. A start may wait for the catalog and for caches, and whoever writes a
// pod's annotation chooses for which: the pods of one namespace do not take all threads, and none is left
// without.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <map>
#include <mutex>
#include <string>

namespace flox::node {

struct StartLimits {
  size_t all = 60;
  size_t of_namespace = 16;
  std::chrono::seconds wait{600};  // for a place; whoever asked has given up long before
};

// Thread-safe. Outlives its places.
class Starts {
 public:
  explicit Starts(const StartLimits& limits) : limits_(limits) {}
  Starts(const Starts&) = delete;
  Starts& operator=(const Starts&) = delete;

  // The right to start a container, given back when it goes.
  class Place {
   public:
    Place(Starts& starts, std::string name) : starts_(&starts), namespace_(std::move(name)) {}
    Place(Place&& other) noexcept
        : starts_(std::exchange(other.starts_, nullptr)), namespace_(std::move(other.namespace_)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (starts_ != nullptr) starts_->give_back(namespace_);
    }

   private:
    Starts* starts_;
    std::string namespace_;
  };
  // Waits for one without a thread. Throws Error(unavailable) if none becomes free.
  boost::asio::awaitable<Place> take(std::string name);

 private:
  bool try_take(const std::string& name);
  void give_back(const std::string& name);

  const StartLimits limits_;
  std::mutex mutex_;
  size_t all_ = 0;
  std::map<std::string, size_t> by_namespace_;
};

}  // namespace flox::node
