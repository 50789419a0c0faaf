// Tells the catalog which environments run on this node, if the node's operator wants that
// (report_environments; docs/how-to/observe.md).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <thread>

#include "node/floxd/containers.h"

namespace flox::node {

// The body of a report (docs/reference/catalog-api.md, "Nodes"): of each generation of an environment of the
// catalog that runs in containers, in how many. At most as many as the catalog takes: those in the most
// containers, then by name.
nlohmann::json node_report(const std::map<std::string, Container>& containers, std::chrono::seconds valid);

// A thread of its own: the catalog may take its time. It sends a report when it starts, when something else
// runs, and in between so that the last report does not expire. One that cannot be sent is logged, once until
// one is sent again, and sent when the next is due.
class Reporter {
 public:
  struct Options {
    std::chrono::seconds interval = std::chrono::minutes(5);
    std::chrono::milliseconds look_interval = std::chrono::seconds(10);  // for something else that runs
    std::function<std::map<std::string, Container>()> containers;
    std::function<void(const nlohmann::json& report)> send;  // throws what goes wrong
    std::function<void(bool sent)> ended = [](bool) {};
  };
  // A report counts for three intervals: two may be lost.
  explicit Reporter(Options options);
  // Waits for a report that is on its way.
  ~Reporter();
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

 private:
  void run();
  void send(const nlohmann::json& report);

  const Options options_;
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stop_ = false;
  bool failed_ = false;  // and it was logged
  std::thread thread_;
};

// Throws Error(invalid_input) for what the catalog takes for no node's name.
void check_report_name(const std::string& name);

}  // namespace flox::node
