// Times as protobuf has them.
#pragma once

#include <chrono>

#include "shim/protocol/task.pb.h"

namespace flox::shim {

inline wire::Timestamp timestamp_of(std::chrono::system_clock::time_point time) {
  auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  wire::Timestamp result;
  result.set_seconds(nanoseconds / 1'000'000'000);
  result.set_nanos(static_cast<int>(nanoseconds % 1'000'000'000));
  return result;
}

// Go's zero time. containerd 2.x reads an absent timestamp as 1970, so "never" must be said like this.
inline wire::Timestamp never() {
  wire::Timestamp result;
  result.set_seconds(-62135596800);
  return result;
}

}  // namespace flox::shim
