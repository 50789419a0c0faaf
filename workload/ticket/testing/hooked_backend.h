// For tests: any backend's parts, with places where a test can step in: fail, die, ask for a stop, look on.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>

#include "ticket/backend/backend.h"

namespace ticket {

class HookedQueue : public Queue {
 public:
  explicit HookedQueue(Queue& inner) : inner_(inner) {}
  QueueTraits traits() override { return inner_.traits(); }
  QueueDepth depth() override { return inner_.depth(); }
  std::vector<Message> receive(int most, std::chrono::seconds wait,
                               std::optional<std::chrono::seconds> visibility,
                               const CancelCheck& cancelled) override {
    if (on_receive) on_receive();
    return inner_.receive(most, wait, visibility, cancelled);
  }
  void remove(const std::string& receipt) override {
    if (on_remove) on_remove();
    inner_.remove(receipt);
  }
  void set_visibility(const std::vector<std::string>& receipts, std::chrono::seconds time) override {
    {
      std::lock_guard lock(mutex);
      for (size_t i = 0; i < receipts.size(); ++i) hidden_for.push_back(time);
    }
    inner_.set_visibility(receipts, time);
    changed.notify_all();
  }
  void send(const std::string& body) override { inner_.send(body); }

  std::function<void()> on_receive, on_remove;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::chrono::seconds> hidden_for;  // by each set_visibility, a message

 private:
  Queue& inner_;
};

class HookedObjects : public ObjectStore {
 public:
  explicit HookedObjects(ObjectStore& inner) : inner_(inner) {}
  void check_bucket(const std::string& bucket) override { inner_.check_bucket(bucket); }
  std::optional<std::string> get(const std::string& bucket, const std::string& key, size_t limit) override {
    if (on_get) on_get(bucket, key);
    return inner_.get(bucket, key, limit);
  }
  void put(const std::string& bucket, const std::string& key, const std::string& content) override {
    ++writes;
    inner_.put(bucket, key, content);
  }
  bool put_if_absent(const std::string& bucket, const std::string& key, const std::string& content) override {
    bool stored = inner_.put_if_absent(bucket, key, content);
    if (stored) ++writes;
    return stored;
  }
  void remove(const std::string& bucket, const std::string& key) override { inner_.remove(bucket, key); }
  std::function<void(const std::string& bucket, const std::string& key)> on_get;
  int writes = 0;

 private:
  ObjectStore& inner_;
};

class HookedTable : public Table {
 public:
  explicit HookedTable(Table& inner) : inner_(inner) {}
  void check() override { inner_.check(); }
  bool put_if_absent(const nlohmann::ordered_json& item) override {
    if (on_put) on_put();
    return inner_.put_if_absent(item);
  }
  std::function<void()> on_put;

 private:
  Table& inner_;
};

}  // namespace ticket
