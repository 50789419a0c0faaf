// A binary cache behind HTTP or HTTPS, and what speaks like one once its requests are signed (s3_cache.h).
#pragma once

#include <mutex>
#include <vector>

#include "base/net/http_client.h"
#include "base/net/http_pool.h"
#include "store/cache/binary_cache.h"

namespace flox::store {

class HttpCache : public BinaryCache {
 public:
  // `token` goes to this cache only, never to where a narinfo or a redirect points. If it is empty, that of
  // the URL's token-file; without one the login in the URL or in a netrc file. Throws Error if such a file
  // must not be used.
  HttpCache(CacheUrl url, Secret token);
  std::unique_ptr<BinaryCache> clone() const override;
  bool is_remote() const noexcept override { return true; }
  using BinaryCache::ask;
  void ask(const std::string& name, std::function<void(CacheAnswer)> done) override;
  std::unique_ptr<NarFile> open_nar(const nix::NarInfo& info, size_t buffer) override;
  std::unique_ptr<NarFile> open_part(const nix::NarInfo& info, const Part& part, size_t buffer) override;
  bool has_nar(const std::string& name) override;
  void put(std::string_view name, const std::filesystem::path& file, std::string_view content_type) override;

 protected:
  // For a cache whose files are at `base`, with credentials of its own.
  HttpCache(CacheUrl url, std::string base);
  // The last chance to change a request to the cache, after which it is sent at once.
  virtual void authorise(HttpRequest& request) const;
  // How it is spoken to: over which connections, which outlive it, and how often again.
  virtual HttpPool& pool() const { return HttpPool::shared(); }
  virtual RetryPolicy retry() const { return {}; }
  const std::string& base() const noexcept { return base_; }

 private:
  // What clone() makes: it reads no file.
  HttpCache(CacheUrl url, Secret token, std::optional<Login> login);
  // A GET of the NAR file, with what the cache needs to know its caller.
  HttpRequest nar_request(const nix::NarInfo& info, const std::optional<Part>& part) const;
  HttpRequest make_request(std::string method, std::string url, BodyLimit max_body) const;

  std::unique_ptr<HttpClient> take_client();
  void give_back(std::unique_ptr<HttpClient> client);

  std::string base_;
  Secret token_;
  std::optional<Login> login_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<HttpClient>> clients_;  // for uploads: idle, with their connections
};

}  // namespace flox::store
