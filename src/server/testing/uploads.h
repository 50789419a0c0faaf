// What flox publish does with a cache, for tests.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/os/file.h"
#include "nix/base32.h"
#include "server/files/cache_files.h"
#include "server/records/registered_keys.h"
#include "server/testing/database.h"
#include "server/testing/stores.h"
#include "store/cache/compress.h"

namespace flox::server {

// A cache with uploads as flox publish makes them: key, NAR and narinfo of paths that hold one text.
class UploadTest : public testing::Test {
 protected:
  nix::NarInfo upload_nar(char digit, const std::string& content) {
    Sha256Digest hash = sha256(content);
    nix::NarInfo narinfo{.info = {.path = path(digit), .nar_hash = hash, .nar_size = content.size()}};
    narinfo.file_hash = hash;
    narinfo.file_size = content.size();
    narinfo.url = "nar/" + nix::to_base32(bytes_of(hash)) + ".nar";
    accept(narinfo.url, content);
    return narinfo;
  }
  // The same, compressed.
  nix::NarInfo upload_zstd(char digit, const std::string& content) {
    std::string file;
    const auto compressor = store::make_compressor({.method = "zstd"}, content.size(), 1,
                                                   [&](std::string_view piece) { file += piece; });
    compressor->feed(content);
    compressor->finish();
    nix::NarInfo narinfo{
        .info = {.path = path(digit), .nar_hash = sha256(content), .nar_size = content.size()}};
    narinfo.compression = "zstd";
    narinfo.file_hash = sha256(file);
    narinfo.file_size = file.size();
    narinfo.url = "nar/" + nix::to_base32(bytes_of(*narinfo.file_hash)) + ".nar.zst";
    accept(narinfo.url, file);
    return narinfo;
  }
  nix::NarInfo upload(char digit, const std::string& content, const nix::StorePathSet& references = {}) {
    nix::NarInfo narinfo = upload_nar(digit, content);
    narinfo.info.references = references;
    accept(narinfo);
    return narinfo;
  }
  static nix::StorePath path(char digit) {
    return nix::StorePath::from_base_name(std::string(32, digit) + "-web");
  }
  void accept(const std::string& name, const std::string& content) {
    const auto sink = cache_.begin(name);
    for (size_t at = 0; at < content.size(); at += 100'000) sink->write(content.substr(at, 100'000));
    cache_.accept(name, *sink);
  }
  void put_narinfo(const nix::NarInfo& narinfo) {
    accept(std::string(narinfo.info.path.digest()) + ".narinfo", narinfo.to_string());
  }
  void accept(nix::NarInfo narinfo) { accept(std::move(narinfo), key_); }
  void accept(nix::NarInfo narinfo, const nix::SecretKey& key) {
    narinfo.info.signatures.push_back(key.sign(narinfo.info.fingerprint()));
    put_narinfo(narinfo);
  }
  std::vector<std::string> signatures(char digit) { return cache_.narinfo(path(digit))->info.signatures; }
  ErrorKind refusal(const std::function<void()>& upload) {
    try {
      upload();
    } catch (const Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << "was accepted";
    return ErrorKind::internal;
  }

  TempDir dir_;
  nix::SecretKey key_ = nix::SecretKey::generate("k");
  nix::SecretKey other_ = nix::SecretKey::generate("other");
  RegisteredKeys keys_{{key_.public_key().to_string(), other_.public_key().to_string() + " tool-* libweb"}};
  TestDatabase test_database_{dir_.path()};
  std::unique_ptr<Database> database_ = test_database_.open();
  NarRecords nars_{*database_};
  TestStore test_store_{dir_.path() / "cache"};
  std::unique_ptr<ObjectStore> store_ = test_store_.open();
  CacheFiles cache_{*store_, nars_, keys_};
};

}  // namespace flox::server
