// For tests: queue, objects and table in memory, the queue with a clock that the test turns.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "ticket/backend/backend.h"

namespace ticket {

// Hidden messages stay so until `wake`.
class FakeQueue : public Queue {
 public:
  QueueTraits traits() override { return traits_; }
  QueueDepth depth() override {
    std::lock_guard lock(mutex_);
    long waiting = std::ranges::count_if(entries_, [](const auto& pair) { return pair.second.visible; });
    return {.waiting = waiting, .hidden = static_cast<long>(entries_.size()) - waiting};
  }
  std::vector<Message> receive(int most, std::chrono::seconds, std::optional<std::chrono::seconds>,
                               const CancelCheck&) override {
    std::lock_guard lock(mutex_);
    std::vector<Message> result;
    for (auto& [id, entry] : entries_) {
      if (!entry.visible || static_cast<int>(result.size()) == most) continue;
      entry.visible = false;
      ++entry.message.receive_count;
      entry.message.receipt = id;
      result.push_back(entry.message);
    }
    return result;
  }
  void remove(const std::string& receipt) override {
    std::lock_guard lock(mutex_);
    entries_.erase(receipt);
  }
  void set_visibility(const std::vector<std::string>& receipts, std::chrono::seconds time) override {
    std::lock_guard lock(mutex_);
    for (const std::string& receipt : receipts)
      if (auto found = entries_.find(receipt); found != entries_.end())
        found->second.visible = time == std::chrono::seconds(0);
  }
  void send(const std::string& body) override {
    std::lock_guard lock(mutex_);
    std::string id = "m" + std::to_string(1000 + ++sent_);
    entries_[id].message = {
        .id = id, .body = body, .receive_count = 0, .sent_at = std::chrono::system_clock::now()};
  }
  void wake() {
    std::lock_guard lock(mutex_);
    for (auto& [id, entry] : entries_) entry.visible = true;
  }
  void set_traits(const QueueTraits& traits) { traits_ = traits; }

 private:
  struct Entry {
    Message message;
    bool visible = true;
  };
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;
  QueueTraits traits_;
  int sent_ = 0;
};

class FakeObjects : public ObjectStore {
 public:
  void check_bucket(const std::string&) override {}
  std::optional<std::string> get(const std::string& bucket, const std::string& key, size_t) override {
    std::lock_guard lock(mutex_);
    auto found = objects_.find(bucket + "/" + key);
    return found == objects_.end() ? std::nullopt : std::optional(found->second);
  }
  void put(const std::string& bucket, const std::string& key, const std::string& content) override {
    std::lock_guard lock(mutex_);
    objects_[bucket + "/" + key] = content;
  }
  bool put_if_absent(const std::string& bucket, const std::string& key, const std::string& content) override {
    std::lock_guard lock(mutex_);
    return objects_.emplace(bucket + "/" + key, content).second;
  }
  void remove(const std::string& bucket, const std::string& key) override {
    std::lock_guard lock(mutex_);
    objects_.erase(bucket + "/" + key);
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> objects_;
};

class FakeTable : public Table {
 public:
  void check() override {}
  bool put_if_absent(const nlohmann::ordered_json& item) override {
    return items_.emplace(item.at("ticket_id").get<std::string>(), item).second;
  }
  const std::map<std::string, nlohmann::ordered_json>& items() const { return items_; }

 private:
  std::map<std::string, nlohmann::ordered_json> items_;
};

}  // namespace ticket
