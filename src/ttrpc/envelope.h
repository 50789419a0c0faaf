// The two messages every call consists of, as whole frames. Shared by the clients.
#pragma once  // Fuzzed by fuzz/ttrpc_frame.cc.

#include <chrono>
#include <string>
#include <string_view>

namespace flox::ttrpc {

namespace wire {
class Request;
}

// The frame of a request. `traceparent`, unless it is empty, goes into its metadata, as containerd's tracing
// has it. Throws Error(invalid_input) if it is over 4 MiB.
std::string encode_request(uint32_t stream, std::string_view service, std::string_view method,
                           std::string_view payload, std::chrono::nanoseconds timeout,
                           std::string_view traceparent = {});

// What a request's metadata has of that name, the first of several; empty: nothing, or over 100 bytes.
std::string traceparent_of(const wire::Request& request);

// The answer's payload, from a response frame's. Throws what the server answered (error_of, but a
// StatusError's code is not kept), Error(internal) if it is no Response.
std::string decode_response(const std::string& frame_payload);

}  // namespace flox::ttrpc
