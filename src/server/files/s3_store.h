// The binary cache's files in a bucket of S3, or of a server that speaks like it, which any number of
// catalogs share.
//
// What a catalog relies on: an object appears whole; a read after a write sees it; a PUT with If-Match or
// If-None-Match is done or refused as a whole (Amazon S3 since 2024, MinIO, Ceph since Squid). A server
// without the last would let two catalogs lose each other's signatures, so prepare() tries it.
#pragma once

#include <chrono>
#include <mutex>

#include "base/net/http_client.h"
#include "base/net/http_pool.h"
#include "server/files/object_store.h"
#include "store/cache/s3_cache.h"

namespace flox::server {

// Whether clients are sent to the bucket itself for a NAR. automatic: if it is at port 443 or 80, which every
// client may connect to: flox's own fetcher is confined to those and to the ports that its settings name.
enum class Presign { automatic, always, never };
// Throws Error(invalid_input) for another text than "auto", "always" and "never".
Presign presign_of(std::string_view text);

class S3Store : public ObjectStore {
 public:
  // `url` is s3://BUCKET[/PREFIX][?region=…&endpoint=…&scheme=…&profile=…]. `spool` is made if it is missing,
  // and this object's alone: Error(conflict) if another process has it. `presign`: whether serve() gives
  // URLs of the bucket. Asks nothing yet. Throws Error(invalid_input) for another URL, not_found without
  // keys, and as store::find_s3_bucket() does.
  S3Store(const std::string& url, const std::filesystem::path& spool, Presign presign);

  std::string name() const override { return name_; }
  const Directory& spool() const override { return spool_; }
  void prepare(const std::string& name, const std::string& text) override;
  std::optional<ObjectStatus> status(const std::string& name) const override;
  std::optional<SmallObject> read(const std::string& name, size_t most) const override;
  std::vector<std::optional<ObjectStatus>> statuses(const std::vector<std::string>& names) const override;
  std::vector<std::optional<SmallObject>> read_all(const std::vector<std::string>& names,
                                                   size_t most) const override;
  void stream(const std::string& name, const ByteSink& sink) const override;
  std::optional<ServedObject> serve(const std::string& name) const override;
  bool put(const std::string& name, const SpooledFile& file) override;
  bool replace(const std::string& name, const std::string& text, const std::string& version) override;
  void remove(const std::string& name) override;
  void list_nars(const Listed& take) const override;
  void list_narinfos(const Listed& take) const override;
  std::optional<uint64_t> size() const override { return std::nullopt; }
  bool is_shared() const override { return true; }
  void check() const override;

  // A file over this goes in parts. For tests.
  static constexpr uint64_t largest_put = 64 << 20;  // bytes

 private:
  std::string url_of(const std::string& name, std::string_view query = {}) const;
  HttpRequest request(std::string method, std::string url, uint64_t most) const;
  HttpResponse send(HttpRequest request, const std::string& body_hash = {}) const;
  template <typename Exchange>
  auto guarded(Exchange&& exchange) const;
  std::shared_ptr<HttpTransfer> start(HttpRequest request, size_t buffer) const;
  void put_in_parts(const std::string& name, const SpooledFile& file);
  void list(const std::string& query, const Listed& take) const;
  [[noreturn]] void fail_answer(const HttpRequest& request, const HttpResponse& response) const;

  std::string name_;
  std::string prefix_;  // "" or "some/prefix/"
  store::S3Bucket bucket_;
  std::filesystem::path spool_path_;
  Directory spool_;
  bool presign_ = false;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<HttpClient>> clients_;  // idle, with their connections
  mutable std::chrono::steady_clock::time_point down_until_{};
};

}  // namespace flox::server
