// When something that failed may be tried again. As the kubelet: the first time at once, then after 10 s,
// doubling up to 5 min; forgotten after 10 min of peace.
#pragma once

#include <chrono>

namespace flox::kube {

class BackOff {
 public:
  using Time = std::chrono::system_clock::time_point;
  // The earliest next try after a failure at `failed_at`.
  Time next_try(Time failed_at) const { return failed_at + delay_; }
  std::chrono::seconds delay() const { return delay_; }
  // It is tried (again) now.
  void tried(Time now);

 private:
  std::chrono::seconds delay_{0};
  int tries_ = 0;
  Time last_{};
};

}  // namespace flox::kube
