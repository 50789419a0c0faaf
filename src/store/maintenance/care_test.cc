// Optimising, verifying, repairing, publishing and serving a store.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/data/sqlite.h"
#include "base/error.h"
#include "base/net/http_client.h"
#include "base/net/server/http_server.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "nix/listing.h"
#include "nix/nar.h"
#include "nix/narinfo.h"
#include "store/cache/cache_server.h"
#include "store/cache/decompress.h"
#include "store/cache/upload.h"
#include "store/gc/lease.h"
#include "store/maintenance/optimise.h"
#include "store/maintenance/repair.h"
#include "store/maintenance/verify.h"
#include "store/realise/realise.h"

namespace flox::store {
namespace {

constexpr BodyLimit limit(64 << 20);

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class CareTest : public testing::Test {
 protected:
  CareTest() : store_(temp_.path() / "root") {}
  StorePath add(const std::string& name, const std::string& text, const StorePathSet& references = {}) {
    const fs::path tree = temp_.path() / "trees" / name;
    fs::create_directories(tree / "share");
    write_file(tree / "share/text", text);
    write_file(tree / "share/own", name, 0755);
    return store_.add_tree(tree, name, references).path;
  }
  fs::path file(const StorePath& path) const { return store_.real_path(path) / "share/text"; }
  void damage(const fs::path& path, const std::string& text) const {
    // In place, as a disk or a careless program does it: hard links share the damage.
    fs::permissions(path, fs::perms(0644));
    const Fd fd = open_file(path, O_WRONLY | O_TRUNC);
    write_all(fd.get(), text);
    fs::permissions(path, fs::perms(0444));
  }
  static ino_t number(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status.st_ino;
  }
  Outcome nix(std::vector<std::string> argv, const fs::path& root) const {
    argv.insert(argv.begin() + 1, {"--store", root.string()});
    return run({.argv = argv,
                .env = {{"HOME", temp_.path()},
                        {"XDG_CACHE_HOME", temp_.path() / "cache-of-nix"},
                        {"NIX_CONFIG", "experimental-features = nix-command\nbuild-users-group ="}},
                .cwd = {},
                .input = {}});
  }
  Outcome copy_with_nix(const std::string& from, const fs::path& to, const StorePath& path) const {
    return run({.argv = {"nix", "copy", "--from", from, "--to", to.string(), "--option",
                         "trusted-public-keys", key_.public_key().to_string(), path.to_string()},
                .env = {{"HOME", temp_.path()},
                        {"XDG_CACHE_HOME", temp_.path() / "cache-of-nix"},
                        {"NIX_CONFIG", "experimental-features = nix-command\nbuild-users-group ="}},
                .cwd = {},
                .input = {}});
  }
  std::string cache_url() const { return "file://" + (temp_.path() / "cache").string(); }
  UploadResult upload(const UploadOptions& options, const StorePathSet& closure) {
    return upload_closure(store_, *BinaryCache::open(cache_url()), closure, options);
  }
  nix::NarInfo narinfo(const StorePath& path) const {
    return nix::NarInfo::parse(read_file(temp_.path() / "cache" / (std::string(path.digest()) + ".narinfo")));
  }

  TempDir temp_;
  LocalStore store_;
  nix::SecretKey key_ = nix::SecretKey::generate("test-1");
};

TEST_F(CareTest, equal_files_become_one_and_nix_agrees_with_every_path_and_link) {
  const std::string text(50'000, 'x');
  const StorePath a = add("a", text);
  const StorePath b = add("b", text);
  const StorePath c = add("c", text + "y");
  const OptimiseResult result = optimise(store_);
  EXPECT_EQ(result.files, 6u);
  EXPECT_EQ(result.files_linked, 1u);
  EXPECT_GE(result.bytes_saved, 50'000u);
  EXPECT_EQ(number(file(a)), number(file(b)));
  EXPECT_NE(number(file(a)), number(file(c)));
  EXPECT_EQ(optimise(store_).files_linked, 0u);
  struct stat directory {};
  ::stat(file(b).parent_path().c_str(), &directory);
  EXPECT_EQ(directory.st_mtim.tv_sec, 1);
  EXPECT_EQ(directory.st_mode & 07777, 0555u);
  // Nix checks each link's name against its contents, and finds nothing left to link.
  const Outcome verified = nix({"nix-store", "--verify", "--check-contents"}, store_.root());
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
  const ino_t before = number(file(a));
  EXPECT_EQ(nix({"nix-store", "--optimise"}, store_.root()).exit_code, 0);
  EXPECT_EQ(number(file(a)), before);
  EXPECT_EQ(number(file(b)), before);
}

TEST_F(CareTest, we_use_the_links_that_nix_made) {
  const std::string text(50'000, 'x');
  const StorePath a = add("a", text);
  ASSERT_EQ(nix({"nix-store", "--optimise"}, store_.root()).exit_code, 0);
  const StorePath b = add("b", text);
  EXPECT_EQ(optimise(store_).files_linked, 1u);
  EXPECT_EQ(number(file(a)), number(file(b)));
}

TEST_F(CareTest, a_damaged_link_spreads_nowhere) {
  const std::string text(50'000, 'x');
  const StorePath a = add("a", text);
  optimise(store_);
  damage(file(a), std::string(50'000, 'z'));  // and with it the link
  const StorePath b = add("b", text);
  const OptimiseResult result = optimise(store_);
  EXPECT_EQ(result.links_mended, 1u);
  EXPECT_EQ(read_file(file(b)), text);
}

TEST_F(CareTest, verifying_names_what_is_damaged_and_missing) {
  const StorePath a = add("a", "a");
  const StorePath b = add("b", "b");
  const StorePath c = add("c", "c");
  EXPECT_THAT(verify(store_), IsEmpty());
  damage(file(a), "x");
  fs::rename(store_.real_path(b), temp_.path() / "gone");
  const auto damages = verify(store_);
  ASSERT_EQ(damages.size(), 2u);
  EXPECT_THAT(damages[a < b ? 0 : 1].problem, HasSubstr("NAR hash is"));
  EXPECT_THAT(damages[a < b ? 1 : 0].problem, HasSubstr("missing"));
  EXPECT_THAT(verify(store_, {.paths = {c}}), IsEmpty());
  EXPECT_EQ(verify(store_, {.contents = false}).size(), 1u);
  EXPECT_THROW(verify(store_, {.paths = {StorePath::from_base_name(std::string(32, '1') + "-x")}}), Error);
}

TEST_F(CareTest, damaged_and_missing_paths_are_repaired_from_a_cache) {
  const std::string text(50'000, 'x');
  const StorePath a = add("a", text);
  const StorePath b = add("b", text);
  upload({.key = &key_}, {a, b});
  optimise(store_);
  damage(file(a), "broken");
  EXPECT_EQ(verify(store_).size(), 2u);  // they share the file
  for (const Damage& found : verify(store_)) repair(store_, found.path, {cache_url()});
  EXPECT_THAT(verify(store_), IsEmpty());
  EXPECT_EQ(nix({"nix-store", "--verify", "--check-contents"}, store_.root()).exit_code, 0);
  fs::rename(store_.real_path(a), temp_.path() / "gone");
  repair(store_, a, {"file:///nowhere", cache_url()});
  EXPECT_THAT(verify(store_), IsEmpty());
  EXPECT_TRUE(fs::is_empty(store_.scratch_directory()));
}

TEST_F(CareTest, a_cache_with_other_contents_repairs_nothing) {
  const StorePath a = add("a", "a");
  upload({.key = &key_}, {a});
  nix::NarInfo lie = narinfo(a);
  lie.info.nar_hash[0] ^= 1;
  write_file(temp_.path() / "cache" / (std::string(a.digest()) + ".narinfo"), lie.to_string());
  damage(file(a), "broken");
  try {
    repair(store_, a, {cache_url(), "file:///nowhere"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("not those that were registered"));
    EXPECT_THAT(error.what(), HasSubstr("file:///nowhere"));
  }
  EXPECT_EQ(read_file(file(a)), "broken");
}

TEST_F(CareTest, every_compression_that_we_write_nix_and_we_read) {
  std::string text;
  for (unsigned i = 0; text.size() < 9'000'000; ++i) text += std::to_string(i % 5000 * 7919) + "\n";
  const StorePath large = add("large", text);
  const StorePath small = add("small", large.to_string(), {large});
  for (const char* method : {"none", "zstd", "xz"}) {
    const UploadResult result =
        upload({.key = &key_, .compression = {.method = method}, .listings = true}, {large, small});
    EXPECT_EQ(result.paths_uploaded, 2u);
    EXPECT_EQ(narinfo(large).compression, method);
    const fs::path node = temp_.path() / "node" / method;
    LocalStore other(node);
    RealiseOptions options{.caches = {cache_url()}};
    options.trusted_keys.add(key_.public_key());
    realise(other, {small}, options);
    EXPECT_EQ(read_file(other.real_path(large) / "share/text"), text);
    const Outcome copied = copy_with_nix(cache_url(), temp_.path() / "nix-node" / method, small);
    EXPECT_EQ(copied.exit_code, 0) << method << ": " << copied.err;
    fs::remove_all(temp_.path() / "cache");
  }
  EXPECT_THROW(upload({.key = &key_, .compression = {.method = "rar"}}, {small, large}), Error);
  EXPECT_THROW(upload({.key = &key_, .compression = {.method = "zstd", .level = 99}}, {small, large}), Error);
}

TEST_F(CareTest, a_listing_says_where_each_file_is_in_the_nar) {
  const StorePath a = add("a", "hello listing");
  upload({.key = &key_, .compression = {.method = "none"}, .listings = true}, {a});
  const auto listing =
      nlohmann::json::parse(read_file(temp_.path() / "cache" / (std::string(a.digest()) + ".ls")));
  const auto text = listing["root"]["entries"]["share"]["entries"]["text"];
  const std::string nar = read_file(temp_.path() / "cache" / narinfo(a).url);
  EXPECT_EQ(nar.substr(text["narOffset"], text["size"]), "hello listing");
  EXPECT_TRUE(listing["root"]["entries"]["share"]["entries"]["own"]["executable"]);
  uint64_t size = 0;
  nix::list_tree(store_.real_path(a), &size);
  EXPECT_EQ(size, nar.size());
}

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

TEST_F(CareTest, a_database_that_somebody_holds_locked_is_a_clear_error) {
  const StorePath a = add("a", "a");
  sqlite::Connection holder(store_.state_directory() / "db/db.sqlite", {});
  const sqlite::Transaction lock(holder);
  LocalStore other(store_.root(), std::chrono::milliseconds(100));
  write_file(temp_.path() / "b", "b");
  try {
    other.add_tree(temp_.path() / "b", "b", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_THAT(error.what(), HasSubstr("database is locked"));
    EXPECT_THAT(error.advice(), HasSubstr("fuser"));
  }
  EXPECT_TRUE(other.query(a).has_value());
}

TEST_F(CareTest, references_are_answered_from_memory_as_from_the_database) {
  std::vector<StorePath> paths{add("p0", "0")};
  for (int i = 1; i < 25; ++i)
    paths.push_back(add(fmt::format("p{}", i), paths[static_cast<size_t>(i / 2)].to_string(),
                        {paths[static_cast<size_t>(i / 2)]}));
  const ReferenceGraph graph = store_.references();
  EXPECT_EQ(graph.size(), 25u);
  const auto end = graph.find(paths[24]);
  ASSERT_TRUE(end);
  EXPECT_EQ(graph.closure({paths[24]}), store_.closure({paths[24]}));
  EXPECT_EQ(store_.closure(StorePathSet(paths.begin(), paths.end())).size(), 25u);
  const auto chain = graph.chain(*end, *graph.find(paths[0]));
  EXPECT_EQ(chain.size(), 6u);  // 24, 12, 6, 3, 1, 0
  EXPECT_THAT(graph.chain(*graph.find(paths[0]), *end), IsEmpty());
  const auto order = graph.referrers_first();
  EXPECT_EQ(order.back(), *graph.find(paths[0]));
  EXPECT_EQ(store_.find(paths[7].digest()), paths[7]);
  EXPECT_EQ(store_.find(std::string(32, '0')), std::nullopt);
  EXPECT_THROW(graph.closure({StorePath::from_base_name(std::string(32, '1') + "-x")}), Error);
}

}  // namespace
}  // namespace flox::store
