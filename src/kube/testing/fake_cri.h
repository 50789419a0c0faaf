// A container runtime of memory only, for tests: containers do what the test says.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "base/error.h"
#include "kube/cri/cri.h"

namespace flox::kube {

class FakeCri : public Cri {
 public:
  struct Fake {
    ContainerInfo info;
    ContainerConfig config;
  };

  // What the test sees and says.
  std::map<std::string, Fake> containers;
  std::map<std::string, SandboxInfo> sandboxes;
  std::set<std::string> images = {"img"};
  std::string create_error, start_error, sandbox_error;  // if not empty, the call fails with it
  std::vector<std::string> calls;                        // "start server", "stop server", …
  std::string last_handler;
  SandboxConfig last_sandbox;
  bool user_namespaces = false;

  // The newest container of this name ends.
  void end(const std::string& name, int exit_code, int64_t finished_at_seconds) {
    Fake& fake = newest(name);
    fake.info.state = ContainerState::exited;
    fake.info.exit_code = exit_code;
    fake.info.reason = exit_code == 0 ? "Completed" : "Error";
    fake.info.started_at = fake.info.finished_at = finished_at_seconds * 1000000000;
  }
  Fake& newest(const std::string& name) {
    Fake* found = nullptr;
    for (auto& [id, fake] : containers)
      if (fake.info.name == name && (!found || fake.info.attempt >= found->info.attempt)) found = &fake;
    if (!found) fail(ErrorKind::not_found, "no container {}", name);
    return *found;
  }
  bool has(const std::string& name) const {
    return std::any_of(containers.begin(), containers.end(),
                       [&](const auto& entry) { return entry.second.info.name == name; });
  }

  std::string version() override { return "fake 1"; }
  bool has_user_namespaces(const std::string&) override { return user_namespaces; }
  std::string run_sandbox(const SandboxConfig& config, const std::string& handler) override {
    if (!sandbox_error.empty()) fail(ErrorKind::internal, "{}", sandbox_error);
    last_handler = handler;
    last_sandbox = config;
    const std::string id = "sandbox" + std::to_string(++count_);
    sandboxes[id] = {id, config.name, config.uid, config.namespace_, config.attempt, true, count_};
    calls.push_back("sandbox");
    return id;
  }
  void stop_sandbox(const std::string& id) override { sandboxes.at(id).ready = false; }
  void remove_sandbox(const std::string& id) override {
    sandboxes.erase(id);
    std::erase_if(containers, [&](const auto& entry) { return entry.second.info.sandbox_id == id; });
  }
  std::string sandbox_ip(const std::string&) override { return "10.0.0.5"; }
  std::vector<SandboxInfo> list_sandboxes(const StringMap&) override {
    std::vector<SandboxInfo> list;
    for (const auto& [id, sandbox] : sandboxes) list.push_back(sandbox);
    return list;
  }
  std::string create_container(const std::string& sandbox_id, const ContainerConfig& config,
                               const SandboxConfig&) override {
    if (!create_error.empty()) fail(ErrorKind::internal, "{}", create_error);
    const std::string id = "container" + std::to_string(++count_);
    Fake fake;
    fake.info.id = id;
    fake.info.sandbox_id = sandbox_id;
    fake.info.name = config.name;
    fake.info.attempt = config.attempt;
    fake.info.state = ContainerState::created;
    fake.config = config;
    containers[id] = fake;
    return id;
  }
  void reopen_log(const std::string& id) override {
    calls.push_back("reopen " + containers.at(id).info.name);
  }
  void start_container(const std::string& id) override {
    ContainerInfo& info = containers.at(id).info;
    if (!start_error.empty()) {
      info.state = ContainerState::exited;
      info.exit_code = 128;
      info.reason = "StartError";
      info.message = start_error;
      fail(ErrorKind::internal, "{}", start_error);
    }
    info.state = ContainerState::running;
    info.started_at = 1000000000;
    calls.push_back("start " + info.name);
  }
  void stop_container(const std::string& id, std::chrono::seconds) override {
    std::scoped_lock lock(mutex_);
    ContainerInfo& info = containers.at(id).info;
    info.state = ContainerState::exited;
    info.exit_code = 137;
    calls.push_back("stop " + info.name);
  }
  void remove_container(const std::string& id) override { containers.erase(id); }
  std::vector<ContainerInfo> list_containers(const StringMap&) override {
    std::vector<ContainerInfo> list;
    for (const auto& [id, fake] : containers) list.push_back(fake.info);
    return list;
  }
  ContainerInfo container_status(const std::string& id) override { return containers.at(id).info; }
  ExecResult exec(const std::string&, const std::vector<std::string>&, std::chrono::seconds) override {
    return {};
  }
  std::optional<ImageInfo> image(const std::string& name) override {
    if (!images.contains(name)) return std::nullopt;
    return ImageInfo{"sha256:" + name, 0, ""};
  }

 private:
  int count_ = 0;
  std::mutex mutex_;
};

}  // namespace flox::kube
