#include "store/cache/cache_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/net/server/http_server.h"
#include "base/testing/local_http.h"
#include "store/maintenance/verify.h"
#include "store/realise/realise.h"
#include "store/testing/published_store.h"

namespace flox::store {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(CareTest, a_served_store_feeds_nix_and_us) {
  const StorePath base = add("base", std::string(3'000'000, 'b'));
  const StorePath app = add("app", base.to_string(), {base});
  const CacheServer cache(store_, {.key = key_});
  const HttpServer server({}, [&](const ServerRequest& request) { return cache.answer(request); });
  const std::string url = fmt::format("http://127.0.0.1:{}", server.port());

  LocalStore node(temp_.path() / "node");
  RealiseOptions options{.caches = {url}};
  options.trusted_keys.add(key_.public_key());
  realise(node, {app}, options);
  EXPECT_THAT(verify(node), IsEmpty());

  const Outcome copied = copy_with_nix(url, temp_.path() / "nix-node", app);
  EXPECT_EQ(copied.exit_code, 0) << copied.err;

  HttpClient client;
  const std::string digest(app.digest());
  EXPECT_THAT(client.send({.url = url + "/nix-cache-info", .max_body = limit}).body,
              HasSubstr("Priority: 30"));
  EXPECT_EQ(client.send({.url = url + "/" + digest + ".ls", .max_body = limit}).status, 200);
  EXPECT_EQ(client.send({.method = "HEAD", .url = url + "/" + digest + ".narinfo", .max_body = limit}).status,
            200);
  const nix::NarInfo info =
      nix::NarInfo::parse(client.send({.url = url + "/" + digest + ".narinfo", .max_body = limit}).body);
  const HttpResponse nar = client.send({.url = url + "/" + info.url, .max_body = limit});
  EXPECT_EQ(nar.body.size(), info.info.nar_size);
  EXPECT_EQ(sha256(nar.body), info.info.nar_hash);
  for (const std::string& absent :
       {"/" + std::string(32, '1') + ".narinfo", std::string("/short.narinfo"), std::string("/nar/x.nar"),
        "/nar/" + digest + "-" + std::string(52, '0') + ".nar", std::string("/"),
        std::string("/../etc/passwd"), "/" + digest.substr(1) + ".narinfo"})
    EXPECT_EQ(client.send({.url = url + absent, .max_body = limit}).status, 404) << absent;
  EXPECT_EQ(client.send({.method = "POST", .url = url + "/" + digest + ".narinfo", .max_body = limit}).status,
            400);
}

// A cache server over the store, while the object lives.
class Serving {
 public:
  explicit Serving(const LocalStore& store) : cache_(store, {}) {}
  std::string url() const { return fmt::format("http://127.0.0.1:{}/", server_.port()); }

 private:
  CacheServer cache_;
  HttpServer server_{{}, [this](const ServerRequest& request) { return cache_.answer(request); }};
};

TEST_F(CareTest, parts_of_a_served_nar_can_be_asked_for_by_its_hash) {
  const StorePath a = add("a", std::string(700'000, 'a') + "end");
  const Serving serving(store_);
  const std::string url = serving.url();
  HttpClient client;
  const nix::NarInfo info = nix::NarInfo::parse(
      client.send({.url = url + std::string(a.digest()) + ".narinfo", .max_body = limit}).body);
  const HttpResponse whole = client.send({.url = url + info.url, .max_body = limit});
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.headers.at("accept-ranges"), "bytes");
  const std::string etag = whole.headers.at("etag");
  auto part = [&](const std::string& range, const std::string& if_range) {
    return client.send(
        {.url = url + info.url, .headers = {{"Range", range}, {"If-Range", if_range}}, .max_body = limit});
  };
  const HttpResponse middle = part("bytes=300000-599999", etag);
  EXPECT_EQ(middle.status, 206);
  EXPECT_EQ(middle.headers.at("content-range"), fmt::format("bytes 300000-599999/{}", whole.body.size()));
  EXPECT_TRUE(middle.body == whole.body.substr(300'000, 300'000));
  EXPECT_TRUE(part("bytes=600000-", etag).body == whole.body.substr(600'000));
  EXPECT_TRUE(part("bytes=-1000", etag).body == whole.body.substr(whole.body.size() - 1000));
  EXPECT_EQ(part("bytes=9000000-", etag).status, 416);
  EXPECT_TRUE(part("bytes=600000-", "\"another\"").body == whole.body);
  EXPECT_EQ(client.send({.url = url + info.url, .max_body = limit}).body.size(), whole.body.size())
      << "the connection is good for further requests";
}

TEST_F(CareTest, a_store_can_be_served_compressed_without_saying_what_it_does_not_know) {
  const StorePath base = add("base", std::string(3'000'000, 'b'));
  const StorePath app = add("app", base.to_string(), {base});
  for (const char* method : {"zstd", "xz"}) {
    const CacheServer cache(store_, {.key = key_, .compression = {.method = method}});
    const HttpServer server({}, [&](const ServerRequest& request) { return cache.answer(request); });
    const std::string url = fmt::format("http://127.0.0.1:{}", server.port());
    HttpClient client;
    const nix::NarInfo info = nix::NarInfo::parse(
        client.send({.url = url + "/" + std::string(base.digest()) + ".narinfo", .max_body = limit}).body);
    EXPECT_EQ(info.compression, method);
    EXPECT_FALSE(info.file_size);
    EXPECT_FALSE(info.file_hash);
    const HttpResponse nar =
        client.send({.url = url + "/" + info.url, .headers = {{"Range", "bytes=5-"}}, .max_body = limit});
    EXPECT_EQ(nar.status, 200);
    EXPECT_LT(nar.body.size(), info.info.nar_size / 10);
    EXPECT_FALSE(nar.headers.contains("accept-ranges"));
    EXPECT_EQ(client.send({.method = "HEAD", .url = url + "/" + info.url, .max_body = limit}).status, 200);

    LocalStore node(temp_.path() / "node" / method);
    RealiseOptions options{.caches = {url}};
    options.trusted_keys.add(key_.public_key());
    realise(node, {app}, options);
    EXPECT_THAT(verify(node), IsEmpty());
    const Outcome copied = copy_with_nix(url, temp_.path() / "nix-node" / method, app);
    EXPECT_EQ(copied.exit_code, 0) << copied.err;
  }
  EXPECT_THROW(CacheServer(store_, {.compression = {.method = "rar"}}), Error);
}

TEST_F(CareTest, a_nar_that_changes_while_it_is_served_ends_the_connection) {
  const StorePath a = add("a", std::string(500'000, 'a'));
  damage(file(a), "short");
  const Serving serving(store_);
  const std::string url = serving.url();
  HttpClient client;
  const nix::NarInfo info = nix::NarInfo::parse(
      client.send({.url = url + std::string(a.digest()) + ".narinfo", .max_body = limit}).body);
  EXPECT_THROW(client.send({.url = url + info.url, .max_body = limit}), Error);
}

}  // namespace
}  // namespace flox::store
