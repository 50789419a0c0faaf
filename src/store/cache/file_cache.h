// A directory in the form of a binary cache (file://). No link in it is followed.
#pragma once

#include "store/cache/binary_cache.h"

namespace flox::store {

class FileCache : public BinaryCache {
 public:
  explicit FileCache(CacheUrl url) : BinaryCache(std::move(url)), directory_(settings().rest) {}
  std::unique_ptr<BinaryCache> clone() const override { return std::make_unique<FileCache>(settings()); }
  bool is_remote() const noexcept override { return false; }
  using BinaryCache::ask;
  void ask(const std::string& name, std::function<void(CacheAnswer)> done) override;
  std::unique_ptr<NarFile> open_nar(const nix::NarInfo& info, size_t buffer) override;
  std::unique_ptr<NarFile> open_part(const nix::NarInfo& info, const Part& part, size_t buffer) override;
  void prepare() override;
  void put(std::string_view name, const std::filesystem::path& file, std::string_view content_type) override;

 private:
  std::filesystem::path directory_;
};

}  // namespace flox::store
