#include "store/cache/binary_cache.h"

#include <future>

#include "nix/cache_layout.h"
#include "store/cache/file_cache.h"
#include "store/cache/http_cache.h"
#include "store/cache/s3_cache.h"

namespace flox::store {

CacheAnswer BinaryCache::ask(const std::string& name) {
  auto promise = std::make_shared<std::promise<CacheAnswer>>();
  ask(name, [promise](CacheAnswer answer) { promise->set_value(std::move(answer)); });
  return promise->get_future().get();
}

std::optional<nix::NarInfo> BinaryCache::query(const nix::StorePath& path) {
  const CacheAnswer answer = ask(nix::narinfo_name(path));
  if (answer.error) throw Error(*answer.error);
  if (!answer.text) return std::nullopt;
  return in_context(fmt::format("cache {}", url()), [&] { return nix::NarInfo::parse(*answer.text, path); });
}

std::unique_ptr<NarFile> BinaryCache::open_part(const nix::NarInfo&, const Part&, size_t) {
  fail(ErrorKind::unavailable, "cache {}: it gives no parts of files", url());
}

void BinaryCache::fetch(const nix::NarInfo& info, const ByteSink& sink) {
  constexpr size_t buffer = 8 << 20;
  const auto file = open_nar(info, buffer);
  for (std::string piece; file->read(piece);) sink(piece);
}

std::unique_ptr<BinaryCache> BinaryCache::open(std::string_view text, const Secret& token) {
  CacheUrl url = CacheUrl::parse(text);
  if (url.scheme == "file") return std::make_unique<FileCache>(std::move(url));
  if (url.scheme == "s3") return std::make_unique<S3Cache>(std::move(url));
  return std::make_unique<HttpCache>(std::move(url), token);
}

size_t BinaryCache::limit_of(std::string_view name) {
  if (name == nix::cache_info_name) return nix::max_cache_info_size;
  if (nix::hash_of_index_name(name)) return nix::max_index_size;
  return nix::digest_of_narinfo_name(name) ? nix::max_narinfo_size : nix::max_listing_size;
}

}  // namespace flox::store
