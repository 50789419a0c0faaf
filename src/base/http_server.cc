#include "base/http_server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <cctype>

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
    case ErrorKind::not_found: return 404;
    case ErrorKind::invalid_input: return 400;
    case ErrorKind::untrusted: return 403;
    case ErrorKind::conflict: return 409;
    case ErrorKind::unavailable: return 503;
    case ErrorKind::internal: return 500;
  }
  return 500;
}

ServerResponse problem(int status, std::string_view title, std::string_view detail, std::string_view advice) {
  nlohmann::json document = {{"status", status}, {"title", title}, {"detail", detail}};
  if (!advice.empty()) document["advice"] = advice;
  return {.status = status, .content_type = "application/problem+json",
          .body = document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
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

}  // namespace

struct HttpServer::State {
  State(HttpServerOptions given, Handler run) : options(std::move(given)), handler(std::move(run)), pool(options.threads) {}
  HttpServerOptions options;
  Handler handler;
  asio::thread_pool pool;
  tcp::acceptor acceptor{pool};
  uint16_t port = 0;

  void accept();
  ServerResponse handle(const ServerRequest& request) const;
};

namespace {

// One connection: reads a request, answers it, and so on until the peer closes or is silent for a minute.
class Session : public std::enable_shared_from_this<Session> {
 public:
  using Handle = std::function<ServerResponse(const ServerRequest&)>;
  Session(tcp::socket socket, const HttpServerOptions& options, Handle handle)
      : stream_(std::move(socket)), options_(options), handle_(std::move(handle)) {}

  void read_header() {
    parser_.emplace();
    parser_->header_limit(64 * 1024);
    parser_->body_limit(options_.max_upload);
    stream_.expires_after(std::chrono::minutes(1));
    http::async_read_header(stream_, buffer_, *parser_, [self = shared_from_this()](beast::error_code error, size_t) {
      if (!error) self->read_body();
    });
  }

 private:
  void read_body() {
    const auto& header = parser_->get();
    upload_.reset();
    if (header.method() == http::verb::put && !options_.upload_dir.empty()) {
      upload_.emplace("upload-", options_.upload_dir);
      file_parser_.emplace(std::move(*parser_));
      beast::error_code error;
      file_parser_->get().body().open((upload_->path() / "body").c_str(), beast::file_mode::write, error);
      if (error) return;
      read_with(*file_parser_);
    } else {
      // Beast compares Content-Length with the limit only while it reads the header, where it is max_upload's.
      if (parser_->content_length().value_or(0) > options_.max_body) return refuse_body(header);
      string_parser_.emplace(std::move(*parser_));
      string_parser_->body_limit(options_.max_body);
      read_with(*string_parser_);
    }
  }

  template <typename Parser>
  void read_with(Parser& parser) {
    stream_.expires_after(std::chrono::minutes(10));
    http::async_read(stream_, buffer_, parser, [self = shared_from_this(), &parser](beast::error_code error, size_t) {
      if (error == http::error::body_limit) return self->refuse_body(parser.get());
      if (error) return;
      self->answer(parser.get());
    });
  }

  template <typename Message>
  void refuse_body(const Message& message) {
    ServerRequest head;
    head.method = std::string(message.method_string());
    keep_alive_ = false;
    write(head, problem(413, "body too large", fmt::format("the body is over {} bytes", options_.max_body), ""));
  }

  template <typename Message>
  void answer(Message& message) {
    ServerRequest request;
    request.method = std::string(message.method_string());
    std::string_view target(message.target().data(), message.target().size());
    size_t question = target.find('?');
    request.path = url_decode(target.substr(0, question));
    if (question != std::string_view::npos) request.query = parse_query(target.substr(question + 1));
    for (const auto& field : message) {
      std::string name(field.name_string());
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      request.headers[std::move(name)] = std::string(field.value());
    }
    if constexpr (std::is_same_v<typename Message::body_type, http::file_body>) {
      message.body().close();
      request.body_file = upload_->path() / "body";
    } else {
      request.body = std::move(message.body());
    }
    keep_alive_ = message.keep_alive();
    write(request, handle_(request));
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
    };
    auto serializer = std::make_shared<http::response_serializer<Body>>(*out);
    stream_.expires_after(std::chrono::minutes(10));
    if (request.method == "HEAD")
      http::async_write_header(stream_, *serializer, [done, serializer](beast::error_code error, size_t n) { done(error, n); });
    else
      http::async_write(stream_, *serializer, [done, serializer](beast::error_code error, size_t n) { done(error, n); });
  }

  beast::tcp_stream stream_;
  const HttpServerOptions& options_;
  Handle handle_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::empty_body>> parser_;
  std::optional<http::request_parser<http::file_body>> file_parser_;
  std::optional<http::request_parser<http::string_body>> string_parser_;
  std::optional<TempDir> upload_;
  bool keep_alive_ = false;
};

}  // namespace

ServerResponse HttpServer::State::handle(const ServerRequest& request) const {
  try {
    return handler(request);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal) log::error("{} {}: {}", request.method, request.path, error.what());
    return problem(status_of(error.kind()), to_string(error.kind()), error.what(), error.advice());
  } catch (const std::exception& error) {
    log::error("{} {}: {}", request.method, request.path, error.what());
    return problem(500, "internal error", error.what(), "");
  }
}

void HttpServer::State::accept() {
  acceptor.async_accept(asio::make_strand(pool), [this](beast::error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
    if (!error) {
      socket.set_option(tcp::no_delay(true), error);
      std::make_shared<Session>(std::move(socket), options, [this](const ServerRequest& r) { return handle(r); })->read_header();
    }
    accept();
  });
}

HttpServer::HttpServer(HttpServerOptions options, Handler handler)
    : state_(std::make_unique<State>(std::move(options), std::move(handler))) {
  const auto& wanted = state_->options;
  try {
    tcp::endpoint endpoint(asio::ip::make_address(wanted.address), wanted.port);
    state_->acceptor.open(endpoint.protocol());
    state_->acceptor.set_option(tcp::acceptor::reuse_address(true));
    state_->acceptor.bind(endpoint);
    state_->acceptor.listen();
    state_->port = state_->acceptor.local_endpoint().port();
  } catch (const boost::system::system_error& error) {
    throw Error(ErrorKind::unavailable, fmt::format("listening on {}:{}: {}", wanted.address, wanted.port, error.code().message()));
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
