#include "kube/pods/back_off.h"

#include <algorithm>

namespace flox::kube {

using namespace std::chrono_literals;

void BackOff::tried(Time now) {
  if (now - last_ > 10min) {
    tries_ = 0;
    delay_ = 0s;
  }
  last_ = now;
  delay_ = tries_++ == 0 ? 0s : std::min<std::chrono::seconds>(delay_ == 0s ? 10s : delay_ * 2, 300s);
}

}  // namespace flox::kube
