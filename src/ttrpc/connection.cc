#include "ttrpc/connection.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "base/error.h"
#include "ttrpc/envelope.h"
#include "ttrpc/ttrpc.pb.h"

namespace flox::ttrpc {

namespace asio = boost::asio;
using boost::system::error_code;

Connection::Connection(Socket socket, Peer peer, Caller caller, std::shared_ptr<const Handlers> handlers,
                       std::shared_ptr<Ledger> ledger, Charge charge)
    : socket_(std::move(socket)),
      frames_(socket_),
      peer_(peer),
      caller_(std::move(caller)),
      handlers_(std::move(handlers)),
      ledger_(std::move(ledger)),
      charge_(std::move(charge)),
      timer_(socket_.get_executor()),
      drained_(socket_.get_executor(), Clock::time_point::max()) {}

void Connection::start() {
  asio::co_spawn(
      socket_.get_executor(), [self = shared_from_this()] { return self->read_frames(); }, asio::detached);
  const Limits& limits = ledger_->limits();
  if (limits.idle_time.count() > 0 || limits.frame_time.count() > 0)
    asio::co_spawn(
        socket_.get_executor(), [self = shared_from_this()] { return self->watch(); }, asio::detached);
}

void Connection::close() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->shut(); });
}

void Connection::shut() {
  *gone_ = true;
  error_code ignored;
  socket_.close(ignored);
  timer_.cancel();
  drained_.cancel();
}

asio::awaitable<void> Connection::read_frames() {
  auto self = shared_from_this();
  std::string payload;
  for (;;) {
    co_await wait_for_reader();
    const bool got = co_await read_frame(payload);
    if (!got) break;
    constexpr size_t large = 4096;
    if (payload.capacity() > large) std::string().swap(payload);  // an idle connection keeps none
  }
  shut();
}

asio::awaitable<bool> Connection::read_frame(std::string& payload) {
  const Limits& limits = ledger_->limits();
  waiting_ = true;
  update_idle();
  const bool begun = co_await frames_.wait();
  waiting_ = false;
  clear_deadline(idle_deadline_);
  if (!begun) co_return false;

  set_deadline(read_deadline_, limits.frame_time);
  FrameHeader header;
  const bool has_header = co_await frames_.header(header);
  if (!has_header) co_return false;
  Charge bytes(ledger_, caller_.name);
  const FrameReader::Grow grow = [&bytes](size_t more) { return bytes.bytes(more); };
  bool whole = false, no_room = false;
  if (header.length > limits.message)
    whole = co_await frames_.skip(header.length);
  else
    whole = co_await frames_.payload(header.length, grow, payload, no_room);
  clear_deadline(read_deadline_);
  if (!whole) co_return false;
  if (header.type != type_request) co_return true;  // data and unknown types are ignored
  if (header.length > limits.message) {
    ledger_->refused(Refusal::message);
    answer(header.stream, Code::resource_exhausted,
           fmt::format("message of {} bytes is over the limit of {}", header.length, limits.message));
  } else if (no_room) {
    ledger_->refused(Refusal::bytes);
    answer(header.stream, Code::resource_exhausted,
           "too much is being asked at once: try again when other requests have been answered");
  } else {
    accept_request(header, payload, std::move(bytes));
  }
  co_return true;
}

asio::awaitable<void> Connection::wait_for_reader() {
  const size_t limit = ledger_->limits().unread;
  error_code ignored;
  while (limit != 0 && unread_ > limit && socket_.is_open())
    co_await drained_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

void Connection::accept_request(const FrameHeader& header, const std::string& payload, Charge bytes) {
  if (header.stream % 2 == 0 || header.stream <= last_stream_)
    return answer(header.stream, Code::invalid_argument,
                  fmt::format("stream {} is not an odd number above {}", header.stream, last_stream_));
  last_stream_ = header.stream;
  wire::Request envelope;
  if (!envelope.ParseFromString(payload))
    return answer(header.stream, Code::invalid_argument, "malformed request");
  if ((header.flags & flag_remote_open) != 0)
    return answer(header.stream, Code::unimplemented, "streaming calls are not supported");
  auto service = handlers_->find(envelope.service());
  if (service == handlers_->end())
    return answer(header.stream, Code::unimplemented, "service " + envelope.service());
  auto method = service->second.find(envelope.method());
  if (method == service->second.end())
    return answer(header.stream, Code::unimplemented, "method " + envelope.method());
  if (const size_t limit = ledger_->limits().calls_of_connection; limit != 0 && calls_ >= limit) {
    ledger_->refused(Refusal::calls);
    return answer(header.stream, Code::resource_exhausted,
                  fmt::format("{} calls of this connection are under way: no more at once", limit));
  }
  Request request{std::move(*envelope.mutable_payload()),
                  {peer_, caller_.identity, std::chrono::nanoseconds(envelope.timeout_nano()), gone_,
                   traceparent_of(envelope)}};
  ++calls_;
  asio::co_spawn(socket_.get_executor(),
                 run(method->second, std::move(request), header.stream, std::move(bytes)), asio::detached);
}

asio::awaitable<void> Connection::run(const Handler& handler, Request request, uint32_t stream,
                                      [[maybe_unused]] Charge bytes) {
  auto self = shared_from_this();
  Status status;
  std::string result;
  try {
    result = co_await handler(std::move(request));
  } catch (const std::exception& error) {
    status = status_of(error);
  }
  --calls_;
  if (status.code != Code::ok)
    answer(stream, status.code, status.message);
  else
    send_answer(stream, Status{}, std::move(result));
}

void Connection::answer(uint32_t stream, Code code, const std::string& message) {
  send_answer(stream, {code, message}, {});
}

void Connection::send_answer(uint32_t stream, const Status& status, std::string payload) {
  wire::Response response;
  response.mutable_status()->set_code(static_cast<int>(status.code));
  response.mutable_status()->set_message(status.message);
  response.set_payload(std::move(payload));
  std::string bytes = response.SerializeAsString();
  if (bytes.size() > max_payload)
    return answer(stream, Code::resource_exhausted,
                  fmt::format("answer of {} bytes is over the limit of {}", bytes.size(), max_payload));
  if (!socket_.is_open()) return;
  outgoing_.push_back(encode_frame(stream, type_response, bytes));
  unread_ += outgoing_.back().size();
  if (outgoing_.size() > 1) return;  // the writer is at work
  asio::co_spawn(
      socket_.get_executor(), [self = shared_from_this()] { return self->write_frames(); }, asio::detached);
}

asio::awaitable<void> Connection::write_frames() {
  auto self = shared_from_this();
  error_code error;
  while (!outgoing_.empty() && !error) {
    set_deadline(write_deadline_, ledger_->limits().frame_time);
    co_await asio::async_write(socket_, asio::buffer(outgoing_.front()),
                               asio::redirect_error(asio::use_awaitable, error));
    unread_ -= outgoing_.front().size();
    outgoing_.pop_front();
    drained_.cancel();
  }
  if (error) {  // the client is gone, or would wait for this answer for ever
    outgoing_.clear();
    unread_ = 0;
    shut();
  }
  clear_deadline(write_deadline_);
  update_idle();
}

void Connection::set_deadline(Clock::time_point& which, std::chrono::milliseconds from_now) {
  if (from_now.count() == 0) return;
  which = Clock::now() + from_now;
  if (which < timer_.expiry()) timer_.cancel();  // watch() looks again
}

void Connection::update_idle() {
  clear_deadline(idle_deadline_);
  if (waiting_ && calls_ == 0 && outgoing_.empty()) set_deadline(idle_deadline_, ledger_->limits().idle_time);
}

asio::awaitable<void> Connection::watch() {
  auto self = shared_from_this();
  error_code ignored;
  while (socket_.is_open()) {
    const auto now = Clock::now();
    const bool slow = std::min(read_deadline_, write_deadline_) <= now;
    if (slow) ledger_->refused(Refusal::slow);
    if (slow || idle_deadline_ <= now) {
      shut();
      break;
    }
    timer_.expires_at(std::min({read_deadline_, write_deadline_, idle_deadline_}));
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

std::string encode_refusal(uint32_t stream, const Status& status) {
  wire::Response response;
  response.mutable_status()->set_code(static_cast<int>(status.code));
  response.mutable_status()->set_message(status.message);
  return encode_frame(stream, type_response, response.SerializeAsString());
}

}  // namespace flox::ttrpc
