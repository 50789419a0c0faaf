#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http/chunk_encode.hpp>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/net/server/http_message.h"
#include "base/net/server/http_session.h"

namespace flox {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr size_t text_piece = 256 * 1024;      // bytes sent at once of what is in memory
constexpr size_t file_piece = 1024 * 1024;     // the same of a file
constexpr uint64_t free_of_charge = 64 << 10;  // bytes of an answer that are not counted as memory
constexpr auto last_words = std::chrono::seconds(5);
constexpr auto first_words = std::chrono::seconds(1);  // of who may ask although the server ends

}  // namespace

void HttpStreamQueue::push(std::string_view piece) {
  while (!piece.empty()) {
    bool first = false;
    {
      std::unique_lock lock(mutex_);
      room_.wait(lock, [&] { return abandoned_ || bytes_.size() < capacity; });
      if (abandoned_) fail(ErrorKind::unavailable, "the client stopped reading");
      const size_t count = std::min(piece.size(), capacity - bytes_.size());
      first = bytes_.empty();
      bytes_.append(piece.substr(0, count));
      piece.remove_prefix(count);
    }
    if (first) on_bytes();
  }
}

void HttpStreamQueue::end(bool complete) {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    complete_ = complete;
  }
  on_bytes();
}

void HttpStreamQueue::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  room_.notify_all();
}

std::string HttpStreamQueue::take(bool& ended, bool& complete) {
  const std::lock_guard lock(mutex_);
  ended = ended_;
  complete = complete_;
  room_.notify_all();
  return std::exchange(bytes_, {});
}

void HttpLateAnswers::give(const std::weak_ptr<HttpSession>& session, ServerResponse response) {
  const std::lock_guard lock(mutex_);
  if (io_ == nullptr) return;
  asio::post(*io_, [session, response = std::move(response)]() mutable {
    if (const auto self = session.lock()) self->late_answer(std::move(response));
  });
}

void HttpLateAnswers::close() {
  const std::lock_guard lock(mutex_);
  io_ = nullptr;
}

HttpSession::~HttpSession() {
  close();
  release_request();
  --service_.counters.connections;
  // Not from here: who makes room for the next connection may be in the middle of it.
  if (!service_.is_stopping) asio::post(service_.io, [&service = service_] { service.on_room(); });
}

void HttpSession::close() {
  if (is_closed_) return;
  is_closed_ = true;
  transport_->close();
  if (stream_) stream_->abandon();
  place_.leave();
  // Not from here: the caller may be the only one who still knows it.
  if (pumping_) asio::post(service_.io, [self = std::move(pumping_)] {});
}

bool HttpSession::is_late(Clock::time_point now) const {
  if (now > deadline_) return !(is_finishing_ && service_.is_draining && transport_->has_output());
  if (!in_transfer_) return false;
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::seconds>(now - transfer_began_ - options_.stall_deadline);
  return elapsed.count() > 0 && transferred_ < options_.min_rate * static_cast<uint64_t>(elapsed.count());
}

void HttpSession::begin_transfer() {
  in_transfer_ = true;
  transfer_began_ = Clock::now();
  transferred_ = 0;
  progress(0);
}

void HttpSession::progress(size_t count) {
  transferred_ += count;
  deadline_ = Clock::now() + options_.stall_deadline;
  place_.wait(Waiting::for_transfer);
}

void HttpSession::pause_transfer() {
  paused_ = Clock::now();
  in_transfer_ = false;
  deadline_ = Clock::time_point::max();
}

void HttpSession::resume_transfer() {
  transfer_began_ += Clock::now() - paused_;
  in_transfer_ = true;
  progress(0);
}

bool HttpSession::charge(uint64_t bytes) {
  auto& peer = place_.peer();
  if (service_.memory + bytes > options_.max_memory || peer.memory + bytes > options_.max_memory / 2)
    return false;
  charged_ += bytes;
  service_.memory += bytes;
  peer.memory += bytes;
  return true;
}

void HttpSession::release_memory() {
  service_.memory -= charged_;
  place_.peer().memory -= charged_;
  charged_ = 0;
}

void HttpSession::release_request() {
  release_memory();
  if (is_waiting_) --service_.waiting;
  if (is_upload_) --service_.uploads;
  if (is_streaming_) {
    --service_.streams;
    --place_.peer().streams;
    if (!service_.is_stopping)
      asio::post(service_.io, [&service = service_] { service.start_pending_streams(); });
  }
  is_waiting_ = is_upload_ = is_streaming_ = is_chunked_ = false;
  request_ = {};
  text_ = {};
  response_ = {};
  std::string().swap(out_);
  std::string().swap(piece_);
  file_.reset();
  stream_.reset();
}

// No handler is at work for it meanwhile: it does not count as one that waits for one.
void HttpSession::answer_later(ServerResponse response) {
  if (is_waiting_) --service_.waiting;
  is_waiting_ = false;
  service_.answered_later.emplace(this, shared_from_this());
  response.later([late = service_.late, session = weak_from_this()](ServerResponse answer) {
    late->give(session, std::move(answer));
  });
}

void HttpSession::late_answer(ServerResponse response) {
  if (service_.answered_later.erase(this) == 0 || is_closed_) return;
  answer(std::move(response));
}

void HttpSession::answer(ServerResponse response) {
  if (is_waiting_) --service_.waiting;
  is_waiting_ = false;
  std::string().swap(request_.body);
  if (response.shared_file) {
    file_ = response.shared_file;
    file_at_ = 0;
    file_end_ = file_->size;
  }
  const size_t size = response.text().size();
  if (!file_ && !response.stream && size > free_of_charge && !charge(size)) {
    ++service_.counters.overloaded_total;
    response =
        problem(503, "unavailable", "the server has too many answers in memory", "Try again in a moment.");
  }
  response_ = std::move(response);
  begin_transfer();
  try {
    if (response_.stream) return start_stream();
    if (file_) return send_head(file_end_ - file_at_, false);
    send_head(response_.text().size(), false);
  } catch (const std::exception& error) {
    log::error("{} {}: {}", request_.method, request_.path, message_of(error));
    close();
  }
}

void HttpSession::send_head(std::optional<uint64_t> length, bool chunked) {
  if (service_.is_draining) keep_alive_ = false;
  out_ = head_of(response_, keep_alive_, length, chunked);
  out_sent_ = 0;
  if (request_.method == "HEAD") {
    file_.reset();
    response_.stream = {};
  } else if (file_) {
    transport_->fill_packets(true);  // until its last byte is sent
  } else if (!stream_) {
    text_ = response_.text();  // with the head: most answers are one packet
  }
  send_text();
}

// What is in out_ and text_, then what follows them.
void HttpSession::send_text() {
  if (out_sent_ < out_.size() + text_.size()) {
    const size_t of_out = std::min(out_sent_, out_.size());
    std::string_view first = std::string_view(out_).substr(of_out, text_piece);
    std::string_view second = text_.substr(out_sent_ - of_out, text_piece - first.size());
    if (first.empty()) std::swap(first, second);
    return transport_->send(first, second, [self = shared_from_this()](ErrorCode error, size_t count) {
      if (error || self->is_closed_) return self->close();
      self->progress(count);
      self->out_sent_ += count;
      self->send_text();
    });
  }
  out_sent_ = 0;
  out_.clear();
  text_ = {};
  if (file_ && file_at_ < file_end_) return send_file();
  if (stream_) return send_stream();
  answered();
}

void HttpSession::send_file() {
  const auto most = static_cast<size_t>(std::min<uint64_t>(file_end_ - file_at_, file_piece));
  transport_->send_file(file_->fd.get(), file_at_, most,
                        [self = shared_from_this()](ErrorCode error, size_t count) {
                          if (error || count == 0 || self->is_closed_) return self->close();
                          self->progress(count);
                          self->file_at_ += count;
                          if (self->file_at_ < self->file_end_) return self->send_file();
                          self->answered();
                        });
}

// The maker runs on a thread for streams until its last byte is taken: a client that does not read holds it,
// for as long as min_rate lets it.
void HttpSession::start_stream() {
  is_chunked_ = !response_.stream_size && knows_chunks_;
  if (!response_.stream_size && !is_chunked_) keep_alive_ = false;  // its end is the connection's
  if (request_.method == "HEAD") return send_head(response_.stream_size, is_chunked_);
  if (run_stream()) return;
  if (service_.pending_streams.size() >= options_.max_waiting) {
    ++service_.counters.overloaded_total;
    response_ = problem(503, "unavailable", "too many transfers at once", "Try again in a moment.");
    return send_head(response_.body.size(), false);
  }
  service_.pending_streams.push_back(weak_from_this());
  pumping_ = shared_from_this();
  pause_transfer();
}

bool HttpSession::run_stream() {
  auto& peer = place_.peer();
  const unsigned threads = std::max(1U, options_.stream_threads);
  if (service_.streams >= threads || peer.streams >= std::max(1U, threads / 2)) return false;
  if (const auto self = std::exchange(pumping_, nullptr)) resume_transfer();
  ++service_.streams;
  ++peer.streams;
  is_streaming_ = true;
  stream_ = std::make_shared<HttpStreamQueue>();
  stream_->on_bytes = [&io = service_.io, weak = weak_from_this()] {
    asio::post(io, [weak] {
      if (const auto self = weak.lock(); self && self->pumping_) self->send_stream();
    });
  };
  if (!service_.stream_threads) service_.stream_threads.emplace(threads);
  asio::post(*service_.stream_threads, [queue = stream_, make = std::exchange(response_.stream, {}),
                                        size = response_.stream_size, path = request_.path] {
    uint64_t made = 0;
    try {
      make([&](std::string_view piece) {
        made += piece.size();
        queue->push(piece);
      });
      if (size && made != *size)
        fail(ErrorKind::internal, "{} bytes were announced, but there are {}", *size, made);
      queue->end(true);
    } catch (const std::exception& failure) {
      log::warning("GET {}: broken off: {}", path, message_of(failure));
      queue->end(false);
    }
  });
  send_head(response_.stream_size, is_chunked_);
  return true;
}

void HttpService::start_pending_streams() {
  for (auto it = pending_streams.begin(); it != pending_streams.end() && streams < options.stream_threads;) {
    const auto session = it->lock();
    bool is_gone = !session || session->is_closed();
    try {
      is_gone = is_gone || session->run_stream();
    } catch (const std::exception& error) {
      log::error("beginning a transfer: {}", message_of(error));
      session->close();
      is_gone = true;
    }
    it = is_gone ? pending_streams.erase(it) : it + 1;
  }
}

void HttpSession::send_stream() {
  const auto self = std::exchange(pumping_, nullptr);
  if (self) resume_transfer();
  bool ended = false;
  bool complete = false;
  std::string bytes = stream_->take(ended, complete);
  if (bytes.empty() && !ended) {
    pumping_ = shared_from_this();  // until the maker has something: the client is not at fault
    place_.wait(Waiting::for_transfer);
    return pause_transfer();
  }
  if (ended && !complete) return close();
  if (is_chunked_ && !bytes.empty()) bytes = beast::buffers_to_string(http::make_chunk(asio::buffer(bytes)));
  if (is_chunked_ && ended) bytes += beast::buffers_to_string(http::make_chunk_last());
  if (ended) stream_.reset();
  out_ = std::move(bytes);
  out_sent_ = 0;
  send_text();
}

void HttpSession::answered() {
  if (file_) transport_->fill_packets(false);
  if (!keep_alive_) return finish();
  // The head of an answer that took long said that a further request may come: it may be on its way.
  may_ask_again_ = service_.is_ending;
  next_request();
  if (may_ask_again_) server_ends();
}

// Who has just connected is about to ask, and so is who has just heard that it may; others have had the time
// of begin_drain() for it. A request that has arrived, though it was not read, is answered, and a slow reader
// gets the whole of its answer.
void HttpSession::server_ends() {
  if (!is_between_requests_ || is_closed_) return;
  if (!had_request_ || may_ask_again_) {
    deadline_ = std::min(deadline_, Clock::now() + first_words);
    return;
  }
  if (!transport_->has_input() && !transport_->has_output()) close();
}

void HttpSession::finish() {
  release_request();
  in_transfer_ = false;
  is_finishing_ = true;
  deadline_ = Clock::now() + last_words;
  place_.wait(Waiting::for_request);
  transport_->finish([self = shared_from_this()](ErrorCode) { self->close(); });
}

}  // namespace flox
