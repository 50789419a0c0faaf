#include "base/http_server.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cctype>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/http_client.h"
#include "base/log.h"

namespace flox {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::not_found:
      return 404;
    case ErrorKind::invalid_input:
      return 400;
    case ErrorKind::untrusted:
      return 403;
    case ErrorKind::conflict:
      return 409;
    case ErrorKind::unavailable:
      return 503;
    case ErrorKind::internal:
      return 500;
  }
  return 500;
}

ServerResponse problem(int status, std::string_view title, std::string_view detail, std::string_view advice) {
  nlohmann::json document = {{"status", status}, {"title", title}, {"detail", detail}};
  if (!advice.empty()) document["advice"] = advice;
  return {.status = status,
          .content_type = "application/problem+json",
          .body = document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
}

// What `make` answers; what it throws, as a problem document.
template <typename Make>
ServerResponse or_problem(const ServerRequest& request, Make&& make) {
  try {
    return make();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal)
      log::error("{} {}: {}", request.method, request.path, error.what());
    return problem(status_of(error.kind()), to_string(error.kind()), error.what(), error.advice());
  } catch (const std::exception& error) {
    log::error("{} {}: {}", request.method, request.path, error.what());
    return problem(500, "internal error", error.what(), "");
  }
}

std::map<std::string, std::string> parse_query(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    size_t equals = pair.find('=');
    if (pair.empty()) continue;
    query[url_decode(pair.substr(0, equals), true)] =
        equals == std::string_view::npos ? "" : url_decode(pair.substr(equals + 1), true);
  }
  return query;
}

// What to serve and how, without the sockets.
struct Service {
  HttpServerOptions options;
  HttpServer::Handler handler;

  ServerResponse handle(const ServerRequest& request) const {
    return or_problem(request, [&] { return handler(request); });
  }
  // The answer to a request that is not admitted.
  std::optional<ServerResponse> refusal(const ServerRequest& head) const {
    if (!options.admit) return std::nullopt;
    bool admitted = false;
    ServerResponse response = or_problem(head, [&] {
      options.admit(head);
      admitted = true;
      return ServerResponse{};
    });
    return admitted ? std::nullopt : std::optional(std::move(response));
  }
};

// A message's head: all but the body.
template <typename Message>
ServerRequest head_of(const Message& message) {
  ServerRequest request;
  request.method = std::string(message.method_string());
  std::string_view target(message.target().data(), message.target().size());
  size_t question = target.find('?');
  request.path = url_decode(target.substr(0, question));
  if (question != std::string_view::npos) request.query = parse_query(target.substr(question + 1));
  for (const auto& field : message) {
    std::string name(field.name_string());
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    request.headers[std::move(name)] = std::string(field.value());
  }
  return request;
}

// One connection: reads a request, answers it, and so on until the peer closes or is silent for a minute.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, const Service& service)
      : stream_(std::move(socket)), service_(service), options_(service.options) {}

  void read_header() {
    parser_.emplace();
    parser_->header_limit(64 * 1024);
    parser_->body_limit(options_.max_upload);
    stream_.expires_after(std::chrono::minutes(1));
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](beast::error_code error, size_t) {
                              if (error == http::error::body_limit)
                                return self->refuse_body(self->parser_->get(), self->options_.max_upload);
                              if (!error) self->admit();
                            });
  }

 private:
  void admit() {
    const auto& header = parser_->get();
    upload_.reset();
    ServerRequest head = head_of(header);
    if (auto refusal = service_.refusal(head)) return refuse(head, std::move(*refusal));
    // Beast compares Content-Length with the limit only while it reads the header, where it is max_upload's.
    if (!is_upload() && parser_->content_length().value_or(0) > options_.max_body)
      return refuse_body(header, options_.max_body);
    if (!beast::iequals(header[http::field::expect], "100-continue")) return read_body();
    auto go_on = std::make_shared<http::response<http::empty_body>>(http::status::continue_, 11);
    stream_.expires_after(std::chrono::minutes(1));
    http::async_write(stream_, *go_on, [self = shared_from_this(), go_on](beast::error_code error, size_t) {
      if (!error) self->read_body();
    });
  }

  bool is_upload() const {
    return parser_->get().method() == http::verb::put && !options_.upload_dir.empty();
  }

  void read_body() {
    if (is_upload()) {
      upload_.emplace("upload-", options_.upload_dir);
      file_parser_.emplace(std::move(*parser_));
      beast::error_code error;
      file_parser_->get().body().open((upload_->path() / "body").c_str(), beast::file_mode::write, error);
      if (error) return;
      read_with(*file_parser_, options_.max_upload);
    } else {
      string_parser_.emplace(std::move(*parser_));
      string_parser_->body_limit(options_.max_body);
      read_with(*string_parser_, options_.max_body);
    }
  }

  template <typename Parser>
  void read_with(Parser& parser, uint64_t limit) {
    stream_.expires_after(std::chrono::minutes(10));
    http::async_read(stream_, buffer_, parser,
                     [self = shared_from_this(), &parser, limit](beast::error_code error, size_t) {
                       if (error == http::error::body_limit) return self->refuse_body(parser.get(), limit);
                       if (error) return;
                       self->answer(parser.get());
                     });
  }

  template <typename Message>
  void refuse_body(const Message& message, uint64_t limit) {
    refuse(head_of(message),
           problem(413, "body too large", fmt::format("the body is over {} bytes", limit), ""));
  }

  // Answers although the body was not read: the connection is of no use after that.
  void refuse(const ServerRequest& head, ServerResponse response) {
    keep_alive_ = false;
    write(head, std::move(response));
  }

  template <typename Message>
  void answer(Message& message) {
    ServerRequest request = head_of(message);
    if constexpr (std::is_same_v<typename Message::body_type, http::file_body>) {
      message.body().close();
      request.body_file = upload_->path() / "body";
    } else {
      request.body = std::move(message.body());
    }
    keep_alive_ = message.keep_alive();
    knows_chunks_ = message.version() >= 11;
    write(request, service_.handle(request));
    upload_.reset();
  }

  template <typename Body>
  void fill(http::response<Body>& out, const ServerResponse& response) const {
    out.version(11);
    out.result(static_cast<unsigned>(response.status));
    out.set(http::field::server, "flox-imageless/" FLOX_VERSION);
    out.set(http::field::content_type, response.content_type);
    for (const auto& [name, value] : response.headers) out.set(name, value);
    out.keep_alive(keep_alive_);
  }

  void write(const ServerRequest& request, ServerResponse response) {
    if (response.stream) return write_stream(request, std::move(response));
    if (response.body_file) {
      auto out = std::make_shared<http::response<http::file_body>>();
      beast::error_code error;
      out->body().open(response.body_file->c_str(), beast::file_mode::scan, error);
      if (!error) {
        fill(*out, response);
        out->prepare_payload();
        return send(request, std::move(out));
      }
      response = problem(404, "not found", "no such file", "");
    }
    auto out = std::make_shared<http::response<http::string_body>>();
    fill(*out, response);
    out->body() = std::move(response.body);
    out->prepare_payload();
    send(request, std::move(out));
  }

  template <typename Body>
  void send(const ServerRequest& request, std::shared_ptr<http::response<Body>> out) {
    auto done = [self = shared_from_this(), out](beast::error_code error, size_t) {
      if (error) return;
      if (self->keep_alive_) return self->read_header();
      self->stream_.socket().shutdown(tcp::socket::shutdown_send, error);
      self->stream_.expires_after(std::chrono::seconds(5));
      self->drain();
    };
    auto serializer = std::make_shared<http::response_serializer<Body>>(*out);
    stream_.expires_after(std::chrono::minutes(10));
    if (request.method == "HEAD")
      http::async_write_header(stream_, *serializer,
                               [done, serializer](beast::error_code error, size_t n) { done(error, n); });
    else
      http::async_write(stream_, *serializer,
                        [done, serializer](beast::error_code error, size_t n) { done(error, n); });
  }

  void write_stream(const ServerRequest& request, ServerResponse response) {
    auto out = std::make_shared<http::response<http::empty_body>>();
    // To a peer of HTTP/1.0 the end of the connection is the end of the body.
    const bool chunked = !response.stream_size && knows_chunks_;
    if (!response.stream_size && !chunked) keep_alive_ = false;
    fill(*out, response);
    if (response.stream_size) out->content_length(*response.stream_size);
    if (chunked) out->chunked(true);
    auto serializer = std::make_shared<http::response_serializer<http::empty_body>>(*out);
    stream_.expires_after(std::chrono::minutes(1));
    http::async_write_header(stream_, *serializer,
                             [self = shared_from_this(), out, serializer, path = request.path,
                              is_head = request.method == "HEAD", make = std::move(response.stream),
                              size = response.stream_size, chunked](beast::error_code error, size_t) {
                               if (error) return;
                               try {
                                 if (!is_head && chunked) self->send_chunks(make);
                                 if (!is_head && !chunked) self->send_pieces(make, size);
                               } catch (const std::exception& failure) {
                                 log::warning("GET {}: broken off: {}", path, failure.what());
                                 return self->stream_.close();
                               }
                               if (self->keep_alive_) return self->read_header();
                               self->stream_.socket().shutdown(tcp::socket::shutdown_send, error);
                               self->stream_.expires_after(std::chrono::seconds(5));
                               self->drain();
                             });
  }

  void send_pieces(const std::function<void(const ByteSink&)>& make, std::optional<uint64_t> size) {
    uint64_t sent = 0;
    make([&](std::string_view piece) {
      sent += piece.size();
      send_all(piece);
    });
    if (size && sent != *size)
      fail(ErrorKind::internal, "{} bytes were announced, but there are {}", *size, sent);
  }

  void send_chunks(const std::function<void(const ByteSink&)>& make) {
    make([&](std::string_view piece) {
      if (piece.empty()) return;  // an empty chunk would be the end
      send_all(fmt::format("{:x}\r\n", piece.size()));
      send_all(piece);
      send_all("\r\n");
    });
    send_all("0\r\n\r\n");
  }

  // Blocks this thread; the socket itself does not block.
  void send_all(std::string_view bytes) {
    const int fd = stream_.socket().native_handle();
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count > 0) {
        bytes.remove_prefix(static_cast<size_t>(count));
        continue;
      }
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno != EAGAIN) fail_errno(errno, "sending to the peer");
      pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
      if (::poll(&writable, 1, 60'000) == 0) fail(ErrorKind::unavailable, "the peer takes nothing");
    }
  }

  // Reads on until the peer closes too: closing with bytes unread resets the connection, and the peer would
  // lose the answer.
  void drain() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(65536),
                            [self = shared_from_this()](beast::error_code error, size_t) {
                              if (!error) self->drain();
                            });
  }

  beast::tcp_stream stream_;
  const Service& service_;
  const HttpServerOptions& options_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::empty_body>> parser_;
  std::optional<http::request_parser<http::file_body>> file_parser_;
  std::optional<http::request_parser<http::string_body>> string_parser_;
  std::optional<TempDir> upload_;
  bool keep_alive_ = false;
  bool knows_chunks_ = false;
};

}  // namespace

struct HttpServer::State {
  State(HttpServerOptions options, Handler handler)
      : service{std::move(options), std::move(handler)}, pool(service.options.threads) {}
  Service service;
  asio::thread_pool pool;
  tcp::acceptor acceptor{pool};
  uint16_t port = 0;

  void accept();
};

void HttpServer::State::accept() {
  acceptor.async_accept(asio::make_strand(pool), [this](beast::error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
    if (!error) {
      socket.set_option(tcp::no_delay(true), error);
      std::make_shared<Session>(std::move(socket), service)->read_header();
    }
    accept();
  });
}

HttpServer::HttpServer(HttpServerOptions options, Handler handler)
    : state_(std::make_unique<State>(std::move(options), std::move(handler))) {
  const auto& wanted = state_->service.options;
  try {
    tcp::endpoint endpoint(asio::ip::make_address(wanted.address), wanted.port);
    state_->acceptor.open(endpoint.protocol());
    state_->acceptor.set_option(tcp::acceptor::reuse_address(true));
    state_->acceptor.bind(endpoint);
    state_->acceptor.listen();
    state_->port = state_->acceptor.local_endpoint().port();
  } catch (const boost::system::system_error& error) {
    throw Error(ErrorKind::unavailable,
                fmt::format("listening on {}:{}: {}", wanted.address, wanted.port, error.code().message()));
  }
  state_->accept();
}

HttpServer::~HttpServer() {
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
  state_->pool.stop();
  state_->pool.join();
}

uint16_t HttpServer::port() const noexcept { return state_->port; }

}  // namespace flox
