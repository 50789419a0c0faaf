// How long a lease takes: taken and given back, in microseconds, the median of many.
//   lease_time ROOT PATH
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "base/error.h"
#include "store/gc/lease.h"

int main(int argc, char** argv) {
  using namespace flox;
  using Clock = std::chrono::steady_clock;
  if (argc != 3) {
    std::fputs("usage: lease_time ROOT PATH\n", stderr);
    return 2;
  }
  try {
    const store::LocalStore store(argv[1]);
    const nix::StorePathSet paths{nix::StorePath::parse(argv[2])};
    std::vector<double> times;
    for (int i = 0; i < 2000; ++i) {
      const auto start = Clock::now();
      if (!store::add_lease_of_present(store, "bench", paths))
        fail(ErrorKind::not_found, "{} is not in the store, or a collector is at work", argv[2]);
      store::release_lease(store, "bench");
      times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    }
    std::ranges::sort(times);
    std::printf("%.0f\n", times[times.size() / 2]);
    return 0;
  } catch (const std::exception& error) {
    print_error(error);
    return exit_failure;
  }
}
