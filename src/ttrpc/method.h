// A method of a service with the types of its messages. FILE.ttrpc.h, which stub_generator.cc writes from the
// `service` blocks of FILE.proto, has one for each rpc: clients call by it and servers answer by it, so the
// names of services and methods stand in the .proto file only.
#pragma once  // Not fuzzed: protobuf reads the messages.

#include <string>

namespace google::protobuf {
class MessageLite;
}

namespace flox::ttrpc {

// Both texts live as long as the program.
template <typename RequestMessage, typename ResponseMessage>
struct Method {
  const char* service;  // "flox.node.v1.Node"
  const char* name;     // "Prepare"
};

// Read a payload into an empty message. Throw Error(invalid_input) for a request that is malformed, and
// Error(internal) for such an answer, which name the method.
void parse_request(const std::string& payload, const char* method, google::protobuf::MessageLite& message);
void parse_answer(const std::string& payload, const char* method, google::protobuf::MessageLite& message);

}  // namespace flox::ttrpc
