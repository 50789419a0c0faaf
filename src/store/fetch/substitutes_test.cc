#include "store/fetch/substitutes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/testing/published_closure.h"

namespace flox::store {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST_F(RealiseTest, the_next_cache_helps_out_and_the_error_names_every_cache) {
  upload("second");
  const std::string down = "http://127.0.0.1:1";
  fs::remove(nar("cache", *lib_));
  fs::remove(narinfo("cache", *base_));
  {
    LocalStore store(node());
    EXPECT_EQ(realise(store, {*app_}, options({down, url("cache"), url("second")})).paths_fetched, 3u);
    expect_realised();
  }
  remove_tree(node());
  fs::remove(narinfo("second", *base_));
  EXPECT_THAT(error_of(options({url("cache"), url("second")}), ErrorKind::not_found),
              AllOf(HasSubstr(base_->to_string()), HasSubstr(url("cache") + ": does not have it"),
                    HasSubstr(url("second"))));
  EXPECT_THAT(error_of(options({down}), ErrorKind::unavailable), HasSubstr(down));
  EXPECT_THAT(error_of(options({}), ErrorKind::not_found), HasSubstr("no binary cache is configured"));
  EXPECT_THAT(error_of(options({"ftp://x"}), ErrorKind::invalid_input), HasSubstr("ftp://x"));
}

TEST_F(RealiseTest, an_http_cache_is_asked_with_its_token_and_may_fail_now_and_then) {
  std::atomic<int> requests = 0;
  std::atomic<int> refused = 0;
  HttpServer server({}, [&](const ServerRequest& request) -> ServerResponse {
    if (request.headers.contains("authorization")) ++refused;  // no token was configured
    if (++requests % 3 == 0) return {.status = 503, .content_type = "text/plain", .body = "busy"};
    const fs::path file = temp_.path() / "cache" / request.path.substr(1);
    if (!fs::exists(file)) return {.status = 404};
    return {.content_type = "application/octet-stream", .body_file = file};
  });
  LocalStore store(node());
  realise(store, {*app_}, options({fmt::format("http://127.0.0.1:{}", server.port())}));
  expect_realised();
  EXPECT_EQ(refused, 0);
}

TEST_F(RealiseTest, a_cache_that_answers_nonsense_is_not_believed) {
  write_file(narinfo("cache", *lib_), "hello\n");
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted), HasSubstr("has no colon"));
  fs::copy_file(narinfo("cache", *base_), narinfo("cache", *lib_), fs::copy_options::overwrite_existing);
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted),
              HasSubstr("it describes " + base_->to_string()));
}

TEST_F(RealiseTest, a_narinfo_cannot_point_out_of_a_directory_cache) {
  write_file(temp_.path() / "outside", "x");
  edit_narinfo("cache", *lib_, [](nix::NarInfo& info) { info.url = "nar/../../outside"; });
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted), HasSubstr("narinfo: URL: "));
}

// The cache that is asked first.
std::string first_of(const std::vector<std::string>& urls) {
  struct Silent : ConfinedChannel {
    std::string call(std::string_view) override { return {}; }
    void note(std::string_view) override {}
    void confine() override {}
  } channel;
  v1::FetchRequest request;
  for (const std::string& url : urls) request.add_caches()->set_url(url);
  CacheList caches(request);
  InstallerLink link(channel);
  caches.read_infos(link);
  return caches.at(0).url();
}

TEST_F(RealiseTest, caches_are_asked_by_priority_and_one_for_another_store_directory_says_so) {
  upload("second");
  fs::remove_all(temp_.path() / "cache/nar");  // whoever is asked first, and has no files, would be noticed
  write_file(temp_.path() / "second/nix-cache-info",
             "StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 10\n");
  {
    LocalStore store(node());
    EXPECT_EQ(first_of({url("cache"), url("second")}), url("second"));
    EXPECT_EQ(first_of({url("cache") + "?priority=5", url("second")}), url("cache"));
    EXPECT_EQ(realise(store, {*app_}, options({url("cache"), url("second")})).paths_fetched, 3u);
  }
  // As for Nix, what a cache says of mass queries does not change its place, nor does what follows a number.
  for (const char* text : {"StoreDir: /nix/store\nPriority: 10x\n", "WantMassQuery: 0\nPriority: 10\n"}) {
    write_file(temp_.path() / "second/nix-cache-info", text);
    EXPECT_EQ(first_of({url("cache"), url("second")}), url("second")) << text;
  }
  remove_tree(node());
  write_file(temp_.path() / "second/nix-cache-info", "StoreDir: /gnu/store\n");
  EXPECT_THAT(error_of(options({url("second")}), ErrorKind::untrusted),
              HasSubstr("it is a cache for the store directory /gnu/store"));
}

TEST_F(HttpRealiseTest, what_a_cache_has_said_is_not_asked_again_unless_the_operator_wants_it) {
  {
    LocalStore store(node());
    realise(store, {*app_}, http_options());
  }
  EXPECT_EQ(narinfos_, 3);
  forget_paths_but_not_answers();
  {
    LocalStore store(node());
    EXPECT_EQ(realise(store, {*app_}, http_options()).paths_fetched, 3u);
  }
  EXPECT_EQ(narinfos_, 3);
  forget_paths_but_not_answers();
  RealiseOptions how = http_options();
  how.narinfo_cache.enabled = false;
  LocalStore store(node());
  realise(store, {*app_}, how);
  EXPECT_EQ(narinfos_, 6);
}

TEST_F(HttpRealiseTest, a_path_that_was_published_a_moment_ago_is_found_although_its_absence_is_remembered) {
  fs::rename(narinfo("cache", *base_), temp_.path() / "later");
  LocalStore store(node());
  EXPECT_THROW(realise(store, {*app_}, http_options()), Error);
  fs::rename(temp_.path() / "later", narinfo("cache", *base_));
  EXPECT_EQ(realise(store, {*app_}, http_options()).paths_fetched, 3u);
}

TEST_F(HttpRealiseTest, a_remembered_narinfo_whose_nar_has_moved_is_asked_for_again) {
  {
    LocalStore store(node());
    realise(store, {*app_}, http_options());
  }
  forget_paths_but_not_answers();
  fs::rename(nar("cache", *lib_), temp_.path() / "cache/nar/moved.nar.zst");
  edit_narinfo("cache", *lib_, [](nix::NarInfo& info) { info.url = "nar/moved.nar.zst"; });
  LocalStore store(node());
  EXPECT_EQ(realise(store, {*app_}, http_options()).paths_fetched, 3u);
}

}  // namespace
}  // namespace flox::store
