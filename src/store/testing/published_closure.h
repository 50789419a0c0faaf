// A closure in a publisher's store and in a cache, and a node to realise it on.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/net/server/http_server.h"
#include "base/os/file.h"
#include "nix/narinfo.h"
#include "nix/signature.h"
#include "store/cache/binary_cache.h"
#include "store/local/local_store.h"
#include "store/realise/realise.h"
#include "store/testing/nix_programs.h"
#include "testing/names_in.h"

namespace flox::store {

// A closure of three paths (app, which refers to itself, lib, base) in a publisher's store, uploaded to a
// cache.
class RealiseTest : public testing::Test {
 protected:
  RealiseTest() {
    LocalStore store(temp_.path() / "publisher");
    const std::string self(32, 'z');
    base_ = add(store, "base", std::string(100'000, 'b'), {});
    lib_ = add(store, "lib", "needs " + base_->to_string(), {*base_});
    app_ = store
               .add_tree(write("app", "needs " + lib_->to_string() + " /nix/store/" + self + "-app"), "app",
                         {*lib_, *base_}, self)
               .path;
    upload("cache");
  }

  fs::path write(const std::string& name, const std::string& text) {
    fs::create_directories(temp_.path() / "trees" / name / "share");
    write_file(temp_.path() / "trees" / name / "share/text", text);
    return temp_.path() / "trees" / name;
  }
  StorePath add(LocalStore& store, const std::string& name, const std::string& text,
                const StorePathSet& references) {
    return store.add_tree(write(name, text), name, references).path;
  }
  UploadResult upload(const std::string& cache) {
    const LocalStore store(temp_.path() / "publisher");
    return upload_closure(store, *BinaryCache::open(url(cache)), store.closure({*app_}), key_);
  }
  std::string url(const std::string& cache) const { return "file://" + (temp_.path() / cache).string(); }
  fs::path narinfo(const std::string& cache, const StorePath& path) const {
    return temp_.path() / cache / (std::string(path.digest()) + ".narinfo");
  }
  fs::path nar(const std::string& cache, const StorePath& path) const {
    return temp_.path() / cache / nix::NarInfo::parse(read_file(narinfo(cache, path))).url;
  }
  void edit_narinfo(const std::string& cache, const StorePath& path,
                    const std::function<void(nix::NarInfo&)>& edit) const {
    nix::NarInfo info = nix::NarInfo::parse(read_file(narinfo(cache, path)));
    edit(info);
    write_file(narinfo(cache, path), info.to_string());
  }
  RealiseOptions options(std::vector<std::string> urls) const {
    RealiseOptions result{.caches = std::move(urls)};
    result.trusted_keys.add(key_.public_key());
    return result;
  }
  fs::path node() const { return temp_.path() / "node"; }
  // Realises the app on the node, which must fail, and checks that it leaves no trace of the path at fault.
  std::string error_of(const RealiseOptions& how, ErrorKind kind) const {
    LocalStore store(node());
    try {
      realise(store, {*app_}, how);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      EXPECT_THAT(names_in(store.store_directory()), testing::ElementsAre(".links"));
      EXPECT_THAT(names_in(store.scratch_directory()), testing::IsEmpty());
      EXPECT_FALSE(store.is_valid(*app_));
      return error.what();
    }
    ADD_FAILURE() << "it was realised";
    return {};
  }
  void expect_realised() const {
    const LocalStore store(node());
    for (const auto& path : {*app_, *lib_, *base_}) EXPECT_TRUE(store.is_valid(path));
    EXPECT_THAT(names_in(store.scratch_directory()), testing::IsEmpty());
    EXPECT_THAT(names_in(store.staging_directory()), testing::IsEmpty());
    const Outcome verify =
        run_nix({"nix-store", "--store", node().string(), "--verify", "--check-contents"}, temp_.path());
    EXPECT_EQ(verify.exit_code, 0) << verify.err;
  }

  TempDir temp_;
  nix::SecretKey key_ = nix::SecretKey::generate("publisher-1");
  std::optional<StorePath> base_, lib_, app_;
};

// Serves the directory "cache" and counts.
class HttpRealiseTest : public RealiseTest {
 protected:
  RealiseOptions http_options() const {
    return options({fmt::format("http://127.0.0.1:{}", server_.port())});
  }
  std::function<std::optional<ServerResponse>(const ServerRequest&)> instead_ = [](const ServerRequest&) {
    return std::nullopt;
  };
  std::atomic<int> narinfos_ = 0;
  std::atomic<int> nars_ = 0;
  HttpServer server_{{}, [this](const ServerRequest& request) -> ServerResponse {
                       if (request.path.ends_with(".narinfo")) ++narinfos_;
                       if (request.path.starts_with("/nar/")) ++nars_;
                       if (auto other = instead_(request)) return std::move(*other);
                       const fs::path file = temp_.path() / "cache" / request.path.substr(1);
                       if (!fs::exists(file)) return {.status = 404};
                       return {.content_type = "application/octet-stream", .body_file = file};
                     }};
  void forget_paths_but_not_answers() const {
    const fs::path file = "nix/var/nix/flox/narinfo-cache.sqlite";
    fs::copy_file(node() / file, temp_.path() / "remembered", fs::copy_options::overwrite_existing);
    remove_tree(node());
    fs::create_directories((node() / file).parent_path());
    fs::copy_file(temp_.path() / "remembered", node() / file);
  }
};

}  // namespace flox::store
