#include "kube/pods/probe.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/net/curl_library.h"

namespace flox::kube {
namespace {

using std::chrono::milliseconds;

struct CurlDeleter {
  void operator()(CURL* handle) const { curl().easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl().slist_free_all(list); }
};

constexpr size_t most_body = 10 << 10;  // bytes of an answer that are read, as many as the kubelet reads

// What the answer says does not matter, only its status. Ends the transfer after `most_body`.
size_t count_body(char*, size_t size, size_t count, void* into) {
  auto& total = *static_cast<size_t*>(into);
  total += size * count;
  return total > most_body ? 0 : size * count;
}

std::string port_number(const std::string& port, const ProbeTarget& target) {
  const auto named =
      std::find_if(target.ports.begin(), target.ports.end(), [&](const auto& p) { return p.name == port; });
  return named == target.ports.end() ? port : std::to_string(named->container_port);
}

std::string host_text(const std::string& host, const ProbeTarget& target) {
  const std::string& name = !host.empty() ? host : !target.ip.empty() ? target.ip : std::string("127.0.0.1");
  return name.find(':') == std::string::npos ? name : "[" + name + "]";
}

// Not flox::HttpClient: a probe follows no redirect and accepts any certificate, as the kubelet's.
ProbeResult probe_http(const HttpAction& action, const Probe& probe, const ProbeTarget& target) {
  const std::string url =
      fmt::format("{}://{}:{}{}{}", action.scheme, host_text(action.host, target),
                  port_number(action.port, target), action.path.starts_with("/") ? "" : "/", action.path);
  std::unique_ptr<CURL, CurlDeleter> handle(curl().easy_init());
  std::unique_ptr<curl_slist, CurlDeleter> headers;
  for (const auto& [name, value] : action.headers)
    headers.reset(curl().slist_append(headers.release(), fmt::format("{}: {}", name, value).c_str()));
  size_t body = 0;
  char error[CURL_ERROR_SIZE] = "";
  curl().easy_setopt(handle.get(), CURLOPT_URL, url.c_str());
  curl().easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  curl().easy_setopt(handle.get(), CURLOPT_TIMEOUT_MS,
                     static_cast<long>(milliseconds(probe.timeout).count()));
  curl().easy_setopt(handle.get(), CURLOPT_NOSIGNAL, 1L);
  curl().easy_setopt(handle.get(), CURLOPT_NOPROXY, "*");
  curl().easy_setopt(handle.get(), CURLOPT_SSL_VERIFYPEER, 0L);
  curl().easy_setopt(handle.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  curl().easy_setopt(handle.get(), CURLOPT_USERAGENT, "kube-probe/flox");
  curl().easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, error);
  curl().easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, count_body);
  curl().easy_setopt(handle.get(), CURLOPT_WRITEDATA, &body);
  const CURLcode code = curl().easy_perform(handle.get());
  if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && body > most_body))
    return {false, fmt::format("Get \"{}\": {}", url, *error ? error : curl().easy_strerror(code))};
  long status = 0;
  curl().easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status >= 200 && status < 400) return {true, ""};
  return {false, fmt::format("HTTP probe failed with statuscode: {}", status)};
}

ProbeResult probe_tcp(const TcpAction& action, const Probe& probe, const ProbeTarget& target) {
  const std::string address =
      fmt::format("{}:{}", host_text(action.host, target), port_number(action.port, target));
  std::unique_ptr<CURL, CurlDeleter> handle(curl().easy_init());
  char error[CURL_ERROR_SIZE] = "";
  curl().easy_setopt(handle.get(), CURLOPT_URL, ("http://" + address).c_str());
  curl().easy_setopt(handle.get(), CURLOPT_CONNECT_ONLY, 1L);
  curl().easy_setopt(handle.get(), CURLOPT_TIMEOUT_MS,
                     static_cast<long>(milliseconds(probe.timeout).count()));
  curl().easy_setopt(handle.get(), CURLOPT_NOSIGNAL, 1L);
  curl().easy_setopt(handle.get(), CURLOPT_NOPROXY, "*");
  curl().easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, error);
  const CURLcode code = curl().easy_perform(handle.get());
  if (code == CURLE_OK) return {true, ""};
  return {false, fmt::format("dial tcp {}: {}", address, *error ? error : curl().easy_strerror(code))};
}

ProbeResult probe_exec(const ExecAction& action, const Probe& probe, const ProbeTarget& target, Cri& cri) {
  const ExecResult result = cri.exec(target.container_id, action.command, probe.timeout);
  if (result.exit_code == 0) return {true, ""};
  std::string text = (result.out + result.err).substr(0, 1024);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return {false, text.empty() ? fmt::format("command ended with exit code {}", result.exit_code) : text};
}

}  // namespace

const char* word(ProbedLife life) noexcept {
  switch (life) {
    case ProbedLife::starting:
      return "starting";
    case ProbedLife::started:
      return "started";
    case ProbedLife::restart_wanted:
      return "to be restarted";
  }
  return "?";
}

const char* word(ProbeEvent event) noexcept {
  switch (event) {
    case ProbeEvent::startup_succeeded:
      return "startup probe succeeded";
    case ProbeEvent::startup_failed:
      return "startup probe failed";
    case ProbeEvent::liveness_failed:
      return "liveness probe failed";
  }
  return "?";
}

bool ProbeCounter::take(bool success) {
  streak_ = success == last_ ? streak_ + 1 : 1;
  last_ = success;
  if (streak_ < (success ? probe_.success_threshold : probe_.failure_threshold)) return false;
  const bool changed = healthy_ != success;
  healthy_ = success;
  return changed || !success;
}

ProbeResult run_probe(const Probe& probe, const ProbeTarget& target, Cri& cri) {
  try {
    if (const auto* exec = std::get_if<ExecAction>(&probe.action))
      return probe_exec(*exec, probe, target, cri);
    if (const auto* http = std::get_if<HttpAction>(&probe.action)) return probe_http(*http, probe, target);
    return probe_tcp(std::get<TcpAction>(probe.action), probe, target);
  } catch (const std::exception& error) {
    return {false, message_of(error)};
  }
}

ContainerProbes::ContainerProbes(const Container& container, ProbeTarget target, Cri& cri,
                                 std::function<void()> changed)
    : target_(std::move(target)),
      cri_(cri),
      changed_(std::move(changed)),
      life_(container.startup ? ProbedLife::starting : ProbedLife::started),
      ready_(!container.readiness) {
  if (container.startup) start(Kind::startup, *container.startup);
  if (container.liveness) start(Kind::liveness, *container.liveness);
  if (container.readiness) start(Kind::readiness, *container.readiness);
}

ContainerProbes::~ContainerProbes() {
  for (auto& thread : threads_) thread.request_stop();
}

std::optional<seconds> ContainerProbes::failed_grace() const {
  std::scoped_lock lock(mutex_);
  return failed_grace_;
}

std::vector<std::string> ContainerProbes::take_failures() {
  std::scoped_lock lock(mutex_);
  return std::exchange(failures_, {});
}

void ContainerProbes::start(Kind kind, const Probe& probe) {
  threads_.emplace_back([this, kind, &probe](std::stop_token stop) { run(stop, kind, probe); });
}

bool ContainerProbes::pause(std::stop_token stop, milliseconds time) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

bool ContainerProbes::wait_until_started(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  return wake_.wait(lock, stop, [this] { return life_ == ProbedLife::started; });
}

void ContainerProbes::run(std::stop_token stop, Kind kind, const Probe& probe) {
  const char* names[] = {"Startup", "Liveness", "Readiness"};
  ProbeCounter counter(probe, kind == Kind::liveness);
  if (!pause(stop, probe.initial_delay)) return;
  if (kind != Kind::startup && !wait_until_started(stop)) return;
  while (!stop.stop_requested()) {
    const ProbeResult result = run_probe(probe, target_, cri_);
    if (stop.stop_requested()) return;
    if (!result.success) {
      std::scoped_lock lock(mutex_);
      failures_.push_back(fmt::format("{} probe failed: {}", names[static_cast<int>(kind)], result.message));
    }
    const bool decided = counter.take(result.success);
    if (decided) decide(kind, counter.healthy(), probe);
    if (decided || !result.success) changed_();
    if (decided && kind == Kind::startup) return;
    if (!pause(stop, probe.period)) return;
  }
}

void ContainerProbes::decide(Kind kind, bool healthy, const Probe& probe) {
  if (kind == Kind::readiness) {
    ready_ = healthy;
  } else if (!healthy) {
    {
      std::scoped_lock lock(mutex_);
      failed_grace_ = probe.termination_grace;
    }
    happens(kind == Kind::startup ? ProbeEvent::startup_failed : ProbeEvent::liveness_failed);
  } else if (kind == Kind::startup) {
    happens(ProbeEvent::startup_succeeded);
  }
}

void ContainerProbes::happens(ProbeEvent event) {
  {
    std::scoped_lock lock(mutex_);
    life_ = follow(probed_life, life_.load(), event, "container " + target_.container_id);
  }
  wake_.notify_all();
}

}  // namespace flox::kube
