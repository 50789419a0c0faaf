#include "store/cache/upload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "store/testing/published_closure.h"

namespace flox::store {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST_F(RealiseTest, uploading_again_uploads_nothing_and_another_key_adds_its_signature) {
  EXPECT_EQ(upload("cache").paths_present, 3u);
  EXPECT_EQ(upload("cache").paths_uploaded, 0u);
  key_ = nix::SecretKey::generate("second-1");
  EXPECT_EQ(upload("cache").paths_uploaded, 0u);
  EXPECT_EQ(nix::NarInfo::parse(read_file(narinfo("cache", *app_))).info.signatures.size(), 2u);
  LocalStore store(node());
  realise(store, {*app_}, options({url("cache")}));
}

TEST_F(RealiseTest, files_that_changed_in_the_store_are_not_uploaded) {
  const LocalStore publisher(temp_.path() / "publisher");
  const fs::path file = publisher.real_path(*lib_) / "share/text";
  fs::permissions(file, fs::perms(0644));
  write_file(file, "changed");
  try {
    upload("other");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::untrusted);
    EXPECT_THAT(error.what(), HasSubstr(lib_->to_string()));
  }
}

TEST_F(RealiseTest, uploads_go_to_an_http_cache_with_the_token_and_narinfos_after_those_of_their_references) {
  std::mutex mutex;
  std::vector<std::string> stored;
  HttpServer server({.upload_dir = temp_.path()}, [&](const ServerRequest& request) -> ServerResponse {
    if (request.method != "PUT") return {.status = 404};
    if (request.headers.at("authorization") != "Bearer secret")
      return {.status = 401, .body = "who are you?"};
    const std::lock_guard lock(mutex);
    if (request.path.ends_with(".narinfo")) stored.push_back(request.path.substr(1, 32));
    return {.status = 201};
  });
  const std::string where = fmt::format("http://127.0.0.1:{}/cache", server.port());
  const LocalStore publisher(temp_.path() / "publisher");
  const auto result = upload_closure(publisher, *BinaryCache::open(where, Secret("secret")),
                                     publisher.closure({*app_}), key_);
  EXPECT_EQ(result.paths_uploaded, 3u);
  EXPECT_EQ(stored.size(), 3u);
  try {
    upload_closure(publisher, *BinaryCache::open(where, Secret("wrong")), publisher.closure({*app_}), key_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::untrusted);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("401"), testing::Not(HasSubstr("who are you?"))));
  }
}

}  // namespace
}  // namespace flox::store
