// One connection of HttpServer: reads a request, has it answered, and so on. Everything here happens on the
// server's one thread for bytes, except what is handed to the other threads by name (in_pool).
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/net/http_connections.h"
#include "base/net/server/http_server.h"
#include "base/net/server/http_transport.h"

namespace flox {

class HttpSession;

// The way by which answers that come later (ServerResponse::later) reach the server's thread for bytes, while
// there is a server. Thread-safe.
class HttpLateAnswers {
 public:
  explicit HttpLateAnswers(boost::asio::io_context& io) : io_(&io) {}
  // Gives the answer to the session, if it is there yet.
  void give(const std::weak_ptr<HttpSession>& session, ServerResponse response);
  // What comes from now on is dropped.
  void close();

 private:
  std::mutex mutex_;
  boost::asio::io_context* io_;
};

// What the sessions of a server share.
struct HttpService {
  HttpService(HttpServerOptions wanted, HttpServer::Handler handle)
      : options(std::move(wanted)), handler(std::move(handle)) {}

  HttpServerOptions options;
  HttpServer::Handler handler;
  HttpServerCounters counters;
  HttpConnections<HttpSession> connections;
  size_t waiting = 0;  // requests with the handlers, and before them
  size_t uploads = 0;
  size_t streams = 0;
  std::deque<std::weak_ptr<HttpSession>> pending_streams;  // that wait for a thread
  // Gives threads to those that wait for one.
  void start_pending_streams();
  uint64_t memory = 0;  // bytes of bodies and answers
  bool is_stopping = false;
  std::map<HttpSession*, std::shared_ptr<HttpSession>> answered_later;  // those that wait for that
  bool is_draining = false;               // each answer is its connection's last
  bool is_ending = false;                 // and nobody waits for a next request
  std::function<void()> on_room = [] {};  // a connection has ended
  boost::asio::io_context io{1};          // after all that its handlers refer to
  std::shared_ptr<HttpLateAnswers> late = std::make_shared<HttpLateAnswers>(io);
  std::optional<boost::asio::thread_pool> handlers, upload_threads,
      stream_threads;  // made at their first use
};

// Between the thread that makes a streamed answer and the thread that sends it: at most `capacity` bytes
// wait.
class HttpStreamQueue {
 public:
  // Waits for room. Throws Error(unavailable) once the connection has ended.
  void push(std::string_view piece);
  void end(bool complete);
  // The connection has ended.
  void abandon();
  // What there is, up to everything. `ended` is set with the last of it, `complete` if it is all.
  std::string take(bool& ended, bool& complete);
  // Called, by the maker's thread, whenever there is something to take after nothing was.
  std::function<void()> on_bytes;

 private:
  static constexpr size_t capacity = 128 * 1024;
  std::mutex mutex_;
  std::condition_variable room_;
  std::string bytes_;
  bool ended_ = false, complete_ = false, abandoned_ = false;
};

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  using Clock = std::chrono::steady_clock;
  using Waiting = HttpConnections<HttpSession>::Waiting;

  HttpSession(HttpService& service, std::unique_ptr<HttpTransport> transport,
              HttpConnections<HttpSession>::PeerIt peer, std::string address, std::string local)
      : service_(service),
        options_(service.options),
        transport_(std::move(transport)),
        place_(service.connections, peer, this),
        address_(std::move(address)),
        local_(std::move(local)) {
    ++service_.counters.connections;
  }
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;
  ~HttpSession();

  void start();
  void close();
  bool is_closed() const noexcept { return is_closed_; }
  // Whether the client has had its time.
  bool is_late(Clock::time_point now) const;
  // Begins the streamed answer that waits for a thread; false if there is none for this peer yet.
  bool run_stream();
  // What it has waited for.
  void late_answer(ServerResponse response);
  // The server has begun to end (HttpServer::drain): closes a connection that waits for its next request.
  void server_ends();

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;
  using ErrorCode = boost::system::error_code;

  // Reading (http_session_read.cc).
  void next_request();
  void receive(size_t most);
  void received(std::string_view bytes);
  void parse_head();
  bool is_head_too_large() const { return head_size_ + in_.size() >= options_.max_header; }
  void head_complete();
  bool admit();
  void send_continue();
  void parse_body();
  bool take_body(std::string_view bytes);
  void write_piece();
  void body_complete();
  void refuse(ServerResponse response);
  void refuse(const std::exception& error);
  void bad_request(int status, std::string_view why);

  // Answering (http_session_write.cc).
  void handle();
  void answer_later(ServerResponse response);
  void answer(ServerResponse response);
  void send_head(std::optional<uint64_t> length, bool chunked);
  void send_text();
  void send_file();
  void start_stream();
  void send_stream();
  void sent(size_t count);
  void answered();
  void finish();

  template <typename Work, typename Then>
  void in_pool(std::optional<boost::asio::thread_pool>& pool, unsigned threads, Work&& work, Then&& then);
  void begin_transfer();
  void progress(size_t count);
  void pause_transfer();
  void resume_transfer();
  bool charge(uint64_t bytes);
  // Gives back what the request and its answer have of the memory.
  void release_memory();
  void release_request();

  HttpService& service_;
  const HttpServerOptions& options_;
  std::unique_ptr<HttpTransport> transport_;
  HttpConnections<HttpSession>::Place place_;
  std::string address_;  // the client's
  std::string local_;    // ADDRESS:PORT of this end
  Clock::time_point deadline_ = Clock::time_point::max();
  Clock::time_point transfer_began_{};  // later by the time in which the client was not waited for
  Clock::time_point paused_{};
  uint64_t transferred_ = 0;  // bytes of the body or the answer
  bool in_transfer_ = false;
  bool is_closed_ = false;
  bool is_between_requests_ = false;
  bool had_request_ = false;
  bool is_finishing_ = false;  // all was sent, and nothing follows

  boost::beast::flat_buffer in_;  // received, not parsed
  std::optional<Parser> parser_;
  size_t head_size_ = 0;  // bytes of the head that are parsed already
  bool in_body_ = false;
  ServerRequest request_;
  uint64_t body_size_ = 0;
  uint64_t overhead_ = 0;  // bytes of the body's framing: chunk sizes, trailers
  uint64_t body_limit_ = 0;
  std::string piece_;  // of an upload, not yet written
  bool is_upload_ = false;
  bool keep_alive_ = false;
  bool may_ask_again_ = false;  // an answer that promised so has ended after the server began to end
  bool knows_chunks_ = false;
  bool is_waiting_ = false;  // counted in service_.waiting
  uint64_t charged_ = 0;     // of service_.memory

  ServerResponse response_;
  std::string out_;        // to send now,
  std::string_view text_;  // and this, which is response_'s, behind it
  size_t out_sent_ = 0;    // of both
  std::shared_ptr<const OpenedFile> file_;
  uint64_t file_at_ = 0, file_end_ = 0;
  std::shared_ptr<HttpStreamQueue> stream_;
  bool is_streaming_ = false;  // counted in service_.streams
  bool is_chunked_ = false;
  std::shared_ptr<HttpSession> pumping_;  // itself, while the stream's maker has nothing to send yet
};

}  // namespace flox
