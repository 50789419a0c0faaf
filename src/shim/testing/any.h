// Messages within messages, for tests.
#pragma once

#include <string>

#include "shim/protocol/task.pb.h"

namespace flox::shim {

inline wire::Any any_of(const char* type, const std::string& value) {
  wire::Any any;
  any.set_type_url(type);
  any.set_value(value);
  return any;
}

}  // namespace flox::shim
