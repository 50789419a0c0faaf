#include "store/binary_cache.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/http_client.h"
#include "base/log.h"

namespace flox::store {
namespace {

constexpr size_t max_narinfo = 1 << 20;  // bytes; a closure's references are a few thousand names at most
constexpr int attempts = 3;
constexpr auto first_pause = std::chrono::milliseconds(100);

std::string narinfo_name(const nix::StorePath& path) { return std::string(path.digest()) + ".narinfo"; }

// A cache may hold another path under the digest, or nonsense.
nix::NarInfo parse_narinfo(std::string_view text, const nix::StorePath& path) {
  nix::NarInfo info = nix::NarInfo::parse(text);
  if (info.info.path != path)
    fail(ErrorKind::invalid_input, "narinfo: StorePath: it describes {} instead of {}",
         info.info.path.to_string(), path.to_string());
  return info;
}

// A directory in the form of a cache.
class FileCache : public BinaryCache {
 public:
  FileCache(std::string url, fs::path directory) : url_(std::move(url)), directory_(std::move(directory)) {}

  std::unique_ptr<BinaryCache> clone() const override {
    return std::make_unique<FileCache>(url_, directory_);
  }
  const std::string& url() const noexcept override { return url_; }

  std::optional<nix::NarInfo> query(const nix::StorePath& path) override {
    return in_context(fmt::format("cache {}", url_), [&]() -> std::optional<nix::NarInfo> {
      if (!fs::is_directory(directory_)) fail(ErrorKind::unavailable, "there is no such directory");
      const fs::path file = directory_ / narinfo_name(path);
      if (!fs::exists(file)) return std::nullopt;
      return parse_narinfo(read_file(file), path);
    });
  }

  void fetch(const nix::NarInfo& info, const ByteSink& sink) override {
    in_context(fmt::format("cache {}", url_), [&] {
      const fs::path name = fs::path(info.url).lexically_normal();
      if (name.is_absolute() || name.string().starts_with("..") || info.url.find("://") != std::string::npos)
        fail(ErrorKind::invalid_input, "narinfo: URL: '{}' is not a file of this cache", info.url);
      const Fd fd = open_file((directory_ / name).string(), O_RDONLY);
      std::string buffer(256 * 1024, '\0');
      while (const size_t size = read_some(fd.get(), buffer.data(), buffer.size()))
        sink({buffer.data(), size});
    });
  }

  void prepare() override {
    fs::create_directories(directory_);
    // Nix asks for this file before anything else.
    if (const fs::path about = directory_ / "nix-cache-info"; !fs::exists(about))
      write_file(about, fmt::format("StoreDir: {}\nWantMassQuery: 1\nPriority: 40\n", nix::store_dir));
  }

  void put(std::string_view name, const fs::path& file, std::string_view) override {
    in_context(fmt::format("cache {}: storing {}", url_, name), [&] {
      const fs::path target = directory_ / name;
      fs::create_directories(target.parent_path());
      const TempDir temporary("put-", directory_);
      fs::copy_file(file, temporary.path() / "file");
      fs::permissions(temporary.path() / "file", fs::perms(0644));
      fs::rename(temporary.path() / "file", target);
    });
  }

 private:
  std::string url_;
  fs::path directory_;
};

// The kind of error that a status is.
ErrorKind kind_of(int status) {
  if (status == 401 || status == 403) return ErrorKind::untrusted;
  if (status == 404 || status == 410) return ErrorKind::not_found;
  if (status == 408 || status == 429 || status >= 500) return ErrorKind::unavailable;
  return ErrorKind::invalid_input;
}

class HttpCache : public BinaryCache {
 public:
  HttpCache(std::string url, std::string token) : url_(std::move(url)), token_(std::move(token)) {
    while (url_.ends_with('/')) url_.pop_back();
  }

  std::unique_ptr<BinaryCache> clone() const override { return std::make_unique<HttpCache>(url_, token_); }
  const std::string& url() const noexcept override { return url_; }

  std::optional<nix::NarInfo> query(const nix::StorePath& path) override {
    return in_context(fmt::format("cache {}", url_), [&]() -> std::optional<nix::NarInfo> {
      std::string text;
      const HttpRequest request = make_request("GET", url_ + "/" + narinfo_name(path));
      const HttpResponse response = repeat([&] {
        text.clear();
        return client_.stream(request, [&](std::string_view piece) {
          text += piece;
          if (text.size() > max_narinfo)
            fail(ErrorKind::invalid_input, "narinfo: it is larger than {} bytes", max_narinfo);
        });
      });
      if (response.status == 404 || response.status == 403) return std::nullopt;  // S3 says 403 for absent
      if (!response.ok()) fail_status(response, request.url);
      return parse_narinfo(text, path);
    });
  }

  void fetch(const nix::NarInfo& info, const ByteSink& sink) override {
    in_context(fmt::format("cache {}", url_), [&] {
      HttpRequest request = make_request("GET", absolute(info.url));
      request.timeout = std::chrono::milliseconds(0);  // as long as it takes, unless it stalls
      const HttpResponse response = client_.stream(request, sink);
      if (!response.ok()) fail_status(response, request.url);
    });
  }

  void put(std::string_view name, const fs::path& file, std::string_view content_type) override {
    in_context(fmt::format("cache {}: storing {}", url_, name), [&] {
      HttpRequest request = make_request("PUT", url_ + "/" + std::string(name));
      request.headers.emplace_back("Content-Type", content_type);
      request.upload_file = file.string();
      request.timeout = std::chrono::milliseconds(0);
      const HttpResponse response = repeat([&] { return client_.send(request); });
      if (!response.ok()) fail_status(response, request.url);
    });
  }

 private:
  // Overloaded servers and broken connections get another chance; every other answer is final.
  template <typename Send>
  static HttpResponse repeat(Send&& send) {
    auto pause = first_pause;
    for (int attempt = 1;; ++attempt, pause *= 3) {
      try {
        HttpResponse response = send();
        if (attempt == attempts || kind_of(response.status) != ErrorKind::unavailable || response.ok())
          return response;
      } catch (const Error& error) {
        if (attempt == attempts || error.kind() != ErrorKind::unavailable) throw;
        log::debug("trying again: {}", error.what());
      }
      std::this_thread::sleep_for(pause);
    }
  }

  HttpRequest make_request(std::string method, std::string url) const {
    HttpRequest request{.method = std::move(method), .url = std::move(url)};
    // A narinfo may point anywhere; the token is for this cache only.
    if (!token_.empty() && request.url.starts_with(url_ + "/"))
      request.headers.emplace_back("Authorization", "Bearer " + token_);
    return request;
  }

  std::string absolute(const std::string& url) const {
    if (url.starts_with("http://") || url.starts_with("https://")) return url;
    return url_ + "/" + url;
  }

  [[noreturn]] static void fail_status(const HttpResponse& response, const std::string& url) {
    std::string_view body(response.body);
    body = body.substr(0, std::min(body.find('\n'), size_t{200}));
    fail(kind_of(response.status), "{} answered {}{}{}", url, response.status, body.empty() ? "" : ": ",
         body);
  }

  std::string url_;
  std::string token_;
  HttpClient client_;
};

}  // namespace

std::unique_ptr<BinaryCache> BinaryCache::open(std::string_view url, std::string_view token) {
  if (url.starts_with("file:///"))
    return std::make_unique<FileCache>(std::string(url), fs::path(url.substr(7)));
  if (url.starts_with("http://") || url.starts_with("https://"))
    return std::make_unique<HttpCache>(std::string(url), std::string(token));
  throw Error(ErrorKind::invalid_input, fmt::format("'{}' is not the URL of a binary cache", url),
              "It starts with http://, https:// or file:///.");
}

}  // namespace flox::store
