// Starts COUNT pods of one container at once through CRI, and prints how long it took until all ran, in
// milliseconds. The pods use the node's network: what a CNI plugin takes is the same for every runtime. They
// are removed before the program ends.
//   cri_pods SOCKET HANDLER COUNT IMAGE CGROUP_PARENT COMMAND…
#include <chrono>
#include <cstdio>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "kube/cri/cri.h"

namespace {

using namespace flox;

struct Pod {
  std::string sandbox, container;
};

// Runs `work` for 0 … count-1 on as many threads. Throws the first failure, when all have ended.
template <typename Work>
void at_once(int count, Work work) {
  std::vector<std::thread> threads;
  std::exception_ptr failure;
  std::mutex mutex;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      try {
        work(i);
      } catch (...) {
        std::scoped_lock lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    });
  for (auto& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 6) {
    std::fputs("usage: cri_pods SOCKET HANDLER COUNT IMAGE CGROUP_PARENT COMMAND…\n", stderr);
    return 2;
  }
  try {
    const int count = std::stoi(words[2]);
    auto cri = kube::connect_cri(words[0]);
    const std::string version = cri->version();  // the connection is there before the clock runs
    std::vector<Pod> pods(static_cast<size_t>(count));
    const auto begin = std::chrono::steady_clock::now();
    at_once(count, [&](int i) {
      kube::SandboxConfig sandbox;
      sandbox.name = "bench-" + std::to_string(i);
      sandbox.uid = words[1] + "-" + sandbox.name;
      sandbox.namespace_ = "default";
      sandbox.cgroup_parent = words[4];
      sandbox.host.network = true;
      kube::ContainerConfig container;
      container.name = "main";
      container.image = words[3];
      container.command.assign(words.begin() + 5, words.end());
      container.host.network = true;
      Pod& pod = pods[static_cast<size_t>(i)];
      pod.sandbox = cri->run_sandbox(sandbox, words[1]);
      pod.container = cri->create_container(pod.sandbox, container, sandbox);
      cri->start_container(pod.container);
    });
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    std::printf("%.0f\n", took.count());
    at_once(count, [&](int i) {
      cri->stop_sandbox(pods[static_cast<size_t>(i)].sandbox);
      cri->remove_sandbox(pods[static_cast<size_t>(i)].sandbox);
    });
    return 0;
  } catch (const std::exception& error) {
    print_error(error);
    return exit_failure;
  }
}
