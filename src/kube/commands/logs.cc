// flox kube logs: prints what containers write, of one pod or several.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <fstream>
#include <memory>
#include <optional>
#include <thread>

#include "base/command_line/program.h"
#include "kube/commands/commands.h"
#include "kube/commands/find_pods.h"
#include "kube/pods/log_reader.h"

namespace flox::kube {
namespace {

struct LogsOptions {
  std::string target;     // a pod, pod/NAME, deployment/NAME or job/NAME; empty with a selector
  std::string selector;   // "app=web,tier=front"
  std::string container;  // empty: the first one
  bool follow = false;
  std::optional<size_t> tail;
  bool timestamps = false;
};

constexpr auto poll_interval = std::chrono::milliseconds(100);

StringMap read_selector(const std::string& text) {
  StringMap selector;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    const std::string part = text.substr(start, end - start);
    const size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0)
      fail(ErrorKind::invalid_input, "selector {}: it is not of the form NAME=VALUE,…", text);
    selector[part.substr(0, equals)] =
        part.substr(equals + 1 + (part.substr(equals).starts_with("==") ? 1 : 0));
    start = end + 1;
  }
  return selector;
}

std::vector<PodStatus> chosen_pods(const Session& session, const LogsOptions& options) {
  if (options.selector.empty()) return find_pods(session, options.target);
  const StringMap selector = read_selector(options.selector);
  std::vector<PodStatus> pods;
  for (auto& pod : all_pods(session)) {
    const bool matches = std::all_of(selector.begin(), selector.end(), [&](const auto& entry) {
      const auto label = pod.labels.find(entry.first);
      return label != pod.labels.end() && label->second == entry.second;
    });
    if (matches) pods.push_back(std::move(pod));
  }
  if (pods.empty()) fail(ErrorKind::not_found, "no pod has the labels {}", options.selector);
  return pods;
}

void write_line(const LogLine& line, const std::string& prefix, bool timestamps) {
  FILE* to = line.is_error ? stderr : stdout;
  fmt::print(to, "{}{}{}{}", prefix, timestamps ? line.time : "", timestamps ? " " : "", line.text);
  std::fflush(to);
}

// Follows one container's log over its restarts until the pod is gone or done.
class Follower {
 public:
  Follower(const PodStatus& pod, const ContainerStatus& container, std::string prefix)
      : uid_(pod.uid),
        container_(container.name),
        directory_(fs::path(pod.log_directory) / container.name),
        prefix_(std::move(prefix)) {}

  // The last `count` lines of the newest file, all if no count is given.
  void show_tail(std::optional<size_t> count, bool timestamps) {
    move_to_newest();
    std::deque<LogLine> lines;
    reader_.read([&](const LogLine& line) {
      lines.push_back(line);
      if (count && lines.size() > *count) lines.pop_front();
    });
    for (const auto& line : lines) write_line(line, prefix_, timestamps);
  }

  void show_new(bool timestamps) {
    auto write = [&](const LogLine& line) { write_line(line, prefix_, timestamps); };
    reader_.read(write);
    if (!move_to_newest()) return;
    reader_.read(write);
  }

  const std::string& uid() const { return uid_; }
  const std::string& container() const { return container_; }

 private:
  // True if there is a newer file than the one read so far.
  bool move_to_newest() {
    int newest = attempt_;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(directory_, ignored)) {
      const std::string stem = entry.path().stem();
      if (!stem.empty() && stem.size() < 9 && std::all_of(stem.begin(), stem.end(), ::isdigit))
        newest = std::max(newest, std::stoi(stem));
    }
    if (newest == attempt_) return false;
    attempt_ = newest;
    reader_ = LogReader(directory_ / fmt::format("{}.log", newest));
    return true;
  }

  std::string uid_, container_;
  fs::path directory_;
  std::string prefix_;
  int attempt_ = -1;
  LogReader reader_;
};

bool still_to_come(const Session& session, const Follower& follower) {
  for (const auto& pod : all_pods(session))
    if (pod.uid == follower.uid())
      return !pod.finished() && !(find_container(pod, follower.container()).ready &&
                                  find_container(pod, follower.container()).state == RunState::terminated);
  return false;
}

void logs(const Session& session, const LogsOptions& options) {
  const std::vector<PodStatus> pods = chosen_pods(session, options);
  std::vector<Follower> followers;
  for (const auto& pod : pods) {
    const ContainerStatus& container = find_container(pod, options.container);
    followers.emplace_back(pod, container,
                           pods.size() > 1 ? fmt::format("[pod/{}/{}] ", pod.name, container.name) : "");
    if (pods.size() == 1 && container.id.empty() && !options.follow)
      throw Error(ErrorKind::unavailable,
                  fmt::format("container \"{}\" in pod \"{}\" is waiting to start: {}", container.name,
                              pod.name, container.reason),
                  trouble(pod));
  }
  for (auto& follower : followers) follower.show_tail(options.tail, options.timestamps);
  while (options.follow) {
    const bool more = std::any_of(followers.begin(), followers.end(),
                                  [&](const auto& f) { return still_to_come(session, f); });
    for (auto& follower : followers) follower.show_new(options.timestamps);
    if (!more) return;
    std::this_thread::sleep_for(poll_interval);
  }
}

}  // namespace

void add_logs(CLI::App& app, const CommonOptions& common) {
  struct Options {
    LogsOptions logs;
    std::vector<std::string> target;
    long tail = -1;
  };
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("logs", "Print the logs of containers");
  command->add_option("TARGET", options->target, "POD, deployment/NAME or job/NAME");
  command->add_option("-l,--selector", options->logs.selector, "all pods with these labels: app=web,…");
  command->add_option("-c,--container", options->logs.container, "container (default: the first one)");
  command->add_flag("-f,--follow", options->logs.follow, "go on until the pod ends");
  command->add_option("--tail", options->tail,
                      "print only this many lines, the last ones (default: -1, all)");
  command->add_flag("--timestamps", options->logs.timestamps, "print the time of each line");
  command->footer(
      "Examples:\n  flox kube logs -f deployment/ticket-processor --tail 50\n  flox kube logs -l app=web");
  command->callback([options, &common] {
    options->logs.target = join_target(options->target);
    if (options->logs.target.empty() == options->logs.selector.empty())
      fail_usage("flox kube logs: pass either a pod or a selector",
                 "For example: flox kube logs deployment/NAME, or flox kube logs -l app=NAME.");
    if (options->tail >= 0) options->logs.tail = static_cast<size_t>(options->tail);
    logs(open_session(common), options->logs);
  });
}

}  // namespace flox::kube
