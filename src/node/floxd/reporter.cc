#include "node/floxd/reporter.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/printable.h"
#include "catalog/node_report.h"

namespace flox::node {
namespace {

using nlohmann::json;

}  // namespace

json node_report(const std::map<std::string, Container>& containers, std::chrono::seconds valid) {
  std::map<std::tuple<std::string, std::string, int64_t>, int64_t> counts;
  for (const auto& [id, container] : containers) {
    const auto& [owner, name, generation] = container.environment;
    if (generation > 0) ++counts[{owner, name, generation}];
  }
  std::vector<std::pair<std::tuple<std::string, std::string, int64_t>, int64_t>> most(counts.begin(),
                                                                                      counts.end());
  std::ranges::stable_sort(most, std::greater(), [](const auto& one) { return one.second; });
  most.resize(std::min(most.size(), catalog::most_reported_environments));
  json environments = json::array();
  for (const auto& [which, count] : most) {
    const auto& [owner, name, generation] = which;
    environments.push_back({{"owner", owner},
                            {"name", name},
                            {"generation", generation},
                            {"containers", std::min(count, catalog::most_reported_containers)}});
  }
  return {{"valid_seconds", valid.count()}, {"environments", std::move(environments)}};
}

void check_report_name(const std::string& name) {
  if (catalog::is_node_name(name)) return;
  throw Error(
      ErrorKind::invalid_input,
      fmt::format("'{}' is not a name under which a node can report", printable(name, 60)),
      "Set report_name to at most 253 letters, digits, '-', '.' and '_', the first a letter or a digit.");
}

Reporter::Reporter(Options options) : options_(std::move(options)), thread_([this] { run(); }) {}

Reporter::~Reporter() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  thread_.join();
}

void Reporter::run() {
  using Clock = std::chrono::steady_clock;
  json last;  // that was sent, or was to be sent
  Clock::time_point due = Clock::now();
  for (std::unique_lock lock(mutex_); !stop_;) {
    lock.unlock();
    json report = node_report(options_.containers(), 3 * options_.interval);
    if (report != last || Clock::now() >= due) {
      send(report);
      last = std::move(report);
      due = Clock::now() + options_.interval;
    }
    lock.lock();
    const auto until = std::min(due, Clock::now() + options_.look_interval);
    stopping_.wait_until(lock, until, [this] { return stop_; });
  }
}

void Reporter::send(const json& report) {
  try {
    options_.send(report);
    if (failed_) log::info("the catalog is told again which environments run here");
    failed_ = false;
    options_.ended(true);
  } catch (const std::exception& error) {
    if (!failed_) log::warning("telling the catalog which environments run here: {}", message_of(error));
    failed_ = true;
    options_.ended(false);
  }
}

}  // namespace flox::node
