#include "ttrpc/method.h"

#include <google/protobuf/message_lite.h>

#include "base/error.h"

namespace flox::ttrpc {

void parse_request(const std::string& payload, const char* method, google::protobuf::MessageLite& message) {
  if (!message.ParseFromString(payload)) fail(ErrorKind::invalid_input, "malformed {} request", method);
}

void parse_answer(const std::string& payload, const char* method, google::protobuf::MessageLite& message) {
  if (!message.ParseFromString(payload)) fail(ErrorKind::internal, "malformed answer to {}", method);
}

}  // namespace flox::ttrpc
