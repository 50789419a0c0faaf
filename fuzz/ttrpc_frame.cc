// A client's bytes, cut into frames as the server and the clients cut them.
#include "fuzz.h"
#include "ttrpc/envelope.h"
#include "ttrpc/frame.h"
#include "ttrpc/status.h"
#include "ttrpc/ttrpc.pb.h"

namespace flox::fuzz::of_ttrpc_frame {
namespace {

void read_response(const std::string& payload) {
  try {
    ttrpc::decode_response(payload);
  } catch (const Error& error) {  // the answer may be of any kind; it must survive being passed on
    require(ttrpc::error_of(ttrpc::status_of(error)).kind() == error.kind(), "an error's kind is passed on");
  }
}

// A request that can be read can be written again, and says the same.
void read_request(uint32_t stream, const std::string& payload) {
  ttrpc::wire::Request request;
  if (!request.ParseFromString(payload)) return;
  const std::string frame =
      ttrpc::encode_request(stream, request.service(), request.method(), request.payload(),
                            std::chrono::nanoseconds(request.timeout_nano()));
  const ttrpc::FrameHeader header = ttrpc::decode_header(frame.data());
  require(header.stream == stream && header.type == ttrpc::type_request && header.flags == 0 &&
              header.length == frame.size() - ttrpc::header_size,
          "a frame's header says what follows");
  ttrpc::wire::Request again;
  require(again.ParseFromString(frame.substr(ttrpc::header_size)) && again.service() == request.service() &&
              again.method() == request.method() && again.payload() == request.payload() &&
              again.timeout_nano() == request.timeout_nano(),
          "a request that was read is written as it was");
}

}  // namespace

void one(std::string_view input) {
  while (input.size() >= ttrpc::header_size) {
    const ttrpc::FrameHeader header = ttrpc::decode_header(input.data());
    input.remove_prefix(ttrpc::header_size);
    const std::string payload(input.substr(0, header.length));
    input.remove_prefix(payload.size());
    if (header.length > ttrpc::max_payload) continue;
    read_request(header.stream, payload);
    read_response(payload);
  }
}

}  // namespace flox::fuzz::of_ttrpc_frame
