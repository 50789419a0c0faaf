#include <fcntl.h>
#include <sys/stat.h>

#include <boost/asio/post.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/net/server/http_message.h"
#include "base/net/server/http_range.h"
#include "base/net/server/http_session.h"
#include "base/net/server/retry_later.h"
#include "base/net/server/thread_buffer.h"
#include "base/net/server/trusted_proxies.h"
#include "base/os/file.h"

namespace flox {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr size_t head_piece = 1024;           // bytes received at once
constexpr size_t body_piece = 16 * 1024;      // the same of a body
constexpr size_t upload_piece = 64 * 1024;    // the same of an upload
constexpr size_t written_piece = 256 * 1024;  // bytes of an upload that are written at once
constexpr uint64_t most_overhead = 16 * 1024;

// A PUT's body in a file of upload_dir.
class FileSink : public UploadSink {
 public:
  explicit FileSink(fs::path parent) : parent_(std::move(parent)) {}
  void write(std::string_view piece) override {
    file();
    write_all(fd_.get(), piece);
  }
  fs::path file() {
    if (!directory_) directory_.emplace("upload-", parent_);
    fs::path path = directory_->path() / "body";
    if (!fd_) fd_ = open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    return path;
  }

 private:
  fs::path parent_;
  std::optional<TempDir> directory_;
  Fd fd_;
};

// As choose_range(), by the entity tag that the handler has given the file: one without may be another one by
// the time that the next part is asked for, and is sent as a whole.
std::optional<BodyRange> part_of_file(const ServerRequest& request, uint64_t size, ServerResponse& response) {
  const auto tag = response.headers.find("ETag");
  if (response.status != 200 || tag == response.headers.end() || tag->second.size() < 2 ||
      tag->second.front() != '"')
    return BodyRange{.first = 0, .size = size};
  return choose_range(request, size, tag->second.substr(1, tag->second.size() - 2), response);
}

}  // namespace

void HttpSession::start() {
  is_between_requests_ = true;
  deadline_ = Clock::now() + options_.header_deadline;
  place_.wait(Waiting::for_request);
  transport_->handshake([self = shared_from_this()](ErrorCode error) {
    if (error || self->is_closed_) return self->close();
    self->next_request();
  });
}

void HttpSession::next_request() {
  release_request();
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(options_.max_header));
  parser_->body_limit(boost::none);  // counted in take_body()
  in_body_ = false;
  head_size_ = body_size_ = overhead_ = 0;
  in_transfer_ = false;
  place_.wait(Waiting::for_request);
  // The head's deadline begins with its first byte.
  const bool is_idle = in_.size() == 0;
  is_between_requests_ = is_idle;
  deadline_ = Clock::now() + (is_idle ? options_.idle_deadline : options_.header_deadline);
  if (!is_idle) return parse_head();
  in_.shrink_to_fit();
  receive(head_piece);
}

void HttpSession::receive(size_t most) {
  transport_->receive(most, [self = shared_from_this()](ErrorCode error, std::string_view bytes) {
    if (error || self->is_closed_) return self->close();
    self->received(bytes);
  });
}

void HttpSession::received(std::string_view bytes) {
  is_between_requests_ = false;
  if (in_body_)
    progress(bytes.size());
  else if (in_.size() == 0)
    deadline_ = std::min(deadline_, Clock::now() + options_.header_deadline);
  in_.commit(asio::buffer_copy(in_.prepare(bytes.size()), asio::buffer(bytes)));
  if (in_body_) return parse_body();
  parse_head();
}

// Beast's header_limit holds for what it is given at once. It takes each line whose successor has begun at
// the end of a piece, so that a head could go on for ever: what it has taken is counted here.
void HttpSession::parse_head() {
  ErrorCode error;
  const size_t used = parser_->put(in_.data(), error);
  in_.consume(used);
  head_size_ += used;
  if (error == http::error::need_more && !is_head_too_large()) return receive(head_piece);
  if (error == http::error::need_more || error == http::error::header_limit ||
      (!error && head_size_ > options_.max_header))
    return bad_request(431, fmt::format("the request's head is over {} bytes", options_.max_header));
  if (error) return bad_request(400, "this is not an HTTP request");
  head_complete();
}

void HttpSession::head_complete() {
  had_request_ = true;
  keep_alive_ = parser_->keep_alive() && parser_->get().version() >= 11;
  knows_chunks_ = parser_->get().version() >= 11;
  try {
    request_ = request_of(parser_->get(), options_);
    request_.local = local_;
    request_.peer =
        options_.trusted_proxies ? options_.trusted_proxies->client_of(address_, request_.headers) : address_;
    if (!admit()) return;
  } catch (const std::exception& error) {
    return refuse(error);
  }
  begin_transfer();
  if (parser_->is_done()) return body_complete();
  const auto expect = request_.headers.find("expect");
  if (expect != request_.headers.end() && boost::beast::iequals(expect->second, "100-continue"))
    return send_continue();
  in_body_ = true;
  parse_body();
}

// What is answered without the body, or refused, is so here: false.
bool HttpSession::admit() {
  const bool is_reading = request_.method == "GET" || request_.method == "HEAD";
  if (const auto fixed = options_.fixed.find(request_.path); fixed != options_.fixed.end() && is_reading) {
    keep_alive_ = keep_alive_ && parser_->is_done();
    answer({.body = fixed->second});
    return false;
  }
  if (options_.read_only && !is_reading)
    throw StatusError(405, ErrorKind::invalid_input, "only GET and HEAD are answered here");
  if (options_.admit) options_.admit(request_);
  if (options_.at_once && is_reading && parser_->is_done())
    if (auto response = options_.at_once(request_)) {
      answer(std::move(*response));
      return false;
    }
  const bool upload = request_.method == "PUT" && (options_.begin_upload || !options_.upload_dir.empty());
  body_limit_ = options_.read_only ? 0 : upload ? options_.max_upload : options_.max_body;
  if (parser_->content_length().value_or(0) > body_limit_)
    throw StatusError(413, ErrorKind::invalid_input, fmt::format("the body is over {} bytes", body_limit_));
  if (!upload) return true;
  if (service_.uploads >= options_.max_uploads) {
    ++service_.counters.overloaded_total;
    throw StatusError(503, ErrorKind::unavailable, "too many uploads at once", "Try again in a moment.");
  }
  ++service_.uploads;
  is_upload_ = true;
  request_.upload = options_.begin_upload ? options_.begin_upload(request_)
                                          : std::make_shared<FileSink>(options_.upload_dir);
  return true;
}

void HttpSession::send_continue() {
  static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  transport_->send(go_on, {}, [self = shared_from_this()](ErrorCode error, size_t count) {
    if (error || count != go_on.size() || self->is_closed_) return self->close();
    self->in_body_ = true;
    self->parse_body();
  });
}

void HttpSession::parse_body() {
  const auto shared = thread_buffer<HttpSession, upload_piece>();
  while (!parser_->is_done() && in_.size() > 0) {
    auto& body = parser_->get().body();
    body.data = shared.data();
    body.size = shared.size();
    body.more = true;
    ErrorCode error;
    const size_t used = parser_->put(in_.data(), error);
    const size_t produced = shared.size() - body.size;
    in_.consume(used);
    overhead_ += used - produced;
    // Chunks of a byte each are allowed; a trailer without end, or chunks with a novel each, are not.
    if (overhead_ > most_overhead + 16 * body_size_ + 16 * produced)
      return bad_request(400, "the body's chunks have too much around them");
    if (!take_body({shared.data(), produced})) return;
    if (error == http::error::need_more) {
      if (in_.size() > most_overhead) return bad_request(400, "a chunk's head is too long");
      break;
    }
    if ((error && error != http::error::need_buffer) || (used == 0 && produced == 0))
      return bad_request(400, "the body is not well framed");
  }
  const bool complete = parser_->is_done();
  if (is_upload_ && !piece_.empty() && (complete || piece_.size() >= written_piece)) return write_piece();
  if (complete) return body_complete();
  receive(is_upload_ ? upload_piece : body_piece);
}

bool HttpSession::take_body(std::string_view bytes) {
  body_size_ += bytes.size();
  if (body_size_ > body_limit_) {
    refuse(problem(413, "body too large", fmt::format("the body is over {} bytes", body_limit_)));
    return false;
  }
  if (is_upload_) {
    piece_.append(bytes);
    return true;
  }
  if (!charge(bytes.size())) {
    ++service_.counters.overloaded_total;
    refuse(
        problem(503, "unavailable", "the server has too many requests in memory", "Try again in a moment."));
    return false;
  }
  request_.body.append(bytes);
  return true;
}

template <typename Work, typename Then>
void HttpSession::in_pool(std::optional<asio::thread_pool>& pool, unsigned threads, Work&& work,
                          Then&& then) {
  if (!pool) pool.emplace(std::max(1U, threads));
  pause_transfer();
  place_.wait(Waiting::not_at_all);
  deadline_ = Clock::time_point::max();
  // The session goes on to the thread for bytes with the result: it must not end in another.
  asio::post(*pool, [self = shared_from_this(), work = std::forward<Work>(work),
                     then = std::forward<Then>(then)]() mutable {
    auto result = work(*self);
    auto& io = self->service_.io;
    asio::post(io, [self = std::move(self), then = std::move(then), result = std::move(result)]() mutable {
      if (self->is_closed_) return;
      then(*self, std::move(result));
    });
  });
}

void HttpSession::write_piece() {
  in_pool(
      service_.upload_threads, options_.threads,
      [](HttpSession& self) -> std::optional<ServerResponse> {
        try {
          self.request_.upload->write(self.piece_);
          return std::nullopt;
        } catch (const std::exception& error) {
          return problem_of(self.request_, error);
        }
      },
      [](HttpSession& self, std::optional<ServerResponse> refusal) {
        if (refusal) return self.refuse(std::move(*refusal));
        self.resume_transfer();
        self.piece_.clear();
        if (self.parser_->is_done()) return self.body_complete();
        self.receive(upload_piece);
      });
}

void HttpSession::body_complete() {
  in_body_ = false;
  std::string().swap(piece_);
  if (service_.waiting >= options_.max_waiting) {
    ++service_.counters.overloaded_total;
    return refuse(problem(503, "unavailable", "too many requests at once", "Try again in a moment."));
  }
  ++service_.waiting;
  is_waiting_ = true;
  handle();
}

void HttpSession::handle() {
  const bool upload = is_upload_;
  in_pool(
      upload ? service_.upload_threads : service_.handlers, options_.threads,
      [](HttpSession& self) {
        try {
          if (auto* file = dynamic_cast<FileSink*>(self.request_.upload.get()))
            self.request_.body_file = file->file();
          ServerResponse response = self.service_.handler(self.request_);
          if (response.body_file) {
            Fd fd(::open(response.body_file->c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
            struct stat status {};
            if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
              return problem(404, "not found", "no such file");
            const auto part = part_of_file(self.request_, static_cast<uint64_t>(status.st_size), response);
            if (!part) {
              response.body_file.reset();
              return response;
            }
            ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
            self.file_ = std::make_shared<const OpenedFile>(
                OpenedFile{.fd = std::move(fd), .size = static_cast<uint64_t>(status.st_size)});
            self.file_at_ = part->first;
            self.file_end_ = part->first + part->size;
          }
          return response;
        } catch (const std::exception& error) {
          return problem_of(self.request_, error);
        }
      },
      [](HttpSession& self, ServerResponse response) {
        if (response.later) return self.answer_later(std::move(response));
        self.answer(std::move(response));
      });
}

// Answers although the body was not read: the connection is of no use after that.
void HttpSession::refuse(ServerResponse response) {
  keep_alive_ = false;
  in_body_ = false;
  std::string().swap(request_.body);  // others need not wait for its memory until the answer is out
  release_memory();
  answer(std::move(response));
}

void HttpSession::refuse(const std::exception& error) {
  // Too many good requests are none that are bad.
  if (dynamic_cast<const StatusError*>(&error) != nullptr &&
      dynamic_cast<const RetryLater*>(&error) == nullptr)
    ++service_.counters.bad_requests_total;
  refuse(problem_of(request_, error));
}

void HttpSession::bad_request(int status, std::string_view why) {
  ++service_.counters.bad_requests_total;
  refuse(problem(status, "invalid input", why));
}

}  // namespace flox
