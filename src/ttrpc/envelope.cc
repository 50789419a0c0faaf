#include "ttrpc/envelope.h"

#include "ttrpc/frame.h"
#include "ttrpc/status.h"
#include "ttrpc/ttrpc.pb.h"

namespace flox::ttrpc {
namespace {

constexpr std::string_view trace_field = "traceparent";
constexpr size_t longest_traceparent = 100;  // bytes; level 1 has 55

}  // namespace

std::string encode_request(uint32_t stream, std::string_view service, std::string_view method,
                           std::string_view payload, std::chrono::nanoseconds timeout,
                           std::string_view traceparent) {
  wire::Request request;
  request.set_service(std::string(service));
  request.set_method(std::string(method));
  request.set_payload(std::string(payload));
  request.set_timeout_nano(timeout.count());
  if (!traceparent.empty()) {
    wire::KeyValue& field = *request.add_metadata();
    field.set_key(std::string(trace_field));
    field.set_value(std::string(traceparent));
  }
  return encode_frame(stream, type_request, request.SerializeAsString());
}

std::string traceparent_of(const wire::Request& request) {
  for (const wire::KeyValue& field : request.metadata())
    if (field.key() == trace_field) return field.value().size() <= longest_traceparent ? field.value() : "";
  return {};
}

std::string decode_response(const std::string& frame_payload) {
  wire::Response response;
  if (!response.ParseFromString(frame_payload)) fail(ErrorKind::internal, "malformed ttrpc response");
  if (response.status().code() != 0)
    throw error_of({static_cast<Code>(response.status().code()), response.status().message()});
  return std::move(*response.mutable_payload());
}

}  // namespace flox::ttrpc
