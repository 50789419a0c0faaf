// Uploading to binary caches and realising from them.
#include "store/realise/realise.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <thread>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/net/server/http_server.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "store/fetch/substitutes.h"

namespace flox::store {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

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
      EXPECT_THAT(names_in(store.store_directory()), ElementsAre(".links"));
      EXPECT_THAT(names_in(store.scratch_directory()), IsEmpty());
      EXPECT_FALSE(store.is_valid(*app_));
      return error.what();
    }
    ADD_FAILURE() << "it was realised";
    return {};
  }
  void expect_realised() const {
    const LocalStore store(node());
    for (const auto& path : {*app_, *lib_, *base_}) EXPECT_TRUE(store.is_valid(path));
    EXPECT_THAT(names_in(store.scratch_directory()), IsEmpty());
    EXPECT_THAT(names_in(store.staging_directory()), IsEmpty());
    const Outcome verify =
        run({.argv = {"nix-store", "--store", node().string(), "--verify", "--check-contents"},
             .env = {{"HOME", temp_.path()}, {"NIX_CONFIG", "build-users-group ="}},
             .cwd = {},
             .input = {}});
    EXPECT_EQ(verify.exit_code, 0) << verify.err;
  }

  TempDir temp_;
  nix::SecretKey key_ = nix::SecretKey::generate("publisher-1");
  std::optional<StorePath> base_, lib_, app_;
};

TEST_F(RealiseTest, a_closure_comes_out_of_a_cache_as_it_went_in) {
  LocalStore store(node());
  std::vector<RealiseProgress> seen;
  RealiseOptions how = options({url("cache")});
  how.on_progress = [&](const RealiseProgress& progress) { seen.push_back(progress); };
  const RealiseResult result = realise(store, {*app_}, how);
  EXPECT_EQ(result.closure, (StorePathSet{*app_, *lib_, *base_}));
  EXPECT_EQ(result.paths_fetched, 3u);
  EXPECT_EQ(seen.back().paths_done, 3u);
  EXPECT_EQ(seen.back().bytes_fetched, seen.back().bytes_total);
  expect_realised();
  const LocalStore publisher(temp_.path() / "publisher");
  EXPECT_EQ(store.query(*app_)->references, publisher.query(*app_)->references);
  EXPECT_EQ(store.query(*app_)->content_address, publisher.query(*app_)->content_address);
  EXPECT_EQ(store.query(*app_)->signatures.size(), 1u);

  EXPECT_EQ(realise(store, {*app_}, options({})).paths_fetched, 0u);  // it is all there
}

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

TEST_F(RealiseTest, a_tampered_nar_is_refused) {
  const std::string other = run_checked({.argv = {"zstd", "-qc"}, .env = {}, .cwd = {}, .input = "evil"});
  write_file(nar("cache", *lib_), other);
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted),
              AllOf(HasSubstr(lib_->to_string()), HasSubstr(url("cache"))));

  fs::copy_file(nar("cache", *base_), nar("cache", *lib_), fs::copy_options::overwrite_existing);
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted), HasSubstr("larger than"));
}

TEST_F(RealiseTest, a_nar_of_the_right_size_with_other_contents_is_refused) {
  TempDir temp;
  LocalStore evil(temp.path());
  std::string text = "needs " + base_->to_string();
  text.back() = 'X';
  const StorePath other = add(evil, "lib", text, {});
  upload_closure(evil, *BinaryCache::open(url("evil")), {other}, key_);
  fs::copy_file(nar("evil", other), nar("cache", *lib_), fs::copy_options::overwrite_existing);
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted), HasSubstr("hash mismatch"));
}

TEST_F(RealiseTest, unsigned_wrongly_signed_and_foreign_paths_are_refused) {
  edit_narinfo("cache", *lib_, [](nix::NarInfo& info) { info.info.signatures.clear(); });
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted), HasSubstr("it is not signed"));

  const std::string stranger = nix::SecretKey::generate("stranger").sign("x");
  edit_narinfo("cache", *lib_, [&](nix::NarInfo& info) { info.info.signatures = {stranger}; });
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted),
              HasSubstr("signed by stranger, whom we do not trust"));

  edit_narinfo("cache", *lib_, [&](nix::NarInfo& info) { info.info.signatures = {key_.sign("x")}; });
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted),
              HasSubstr("signature by publisher-1 is wrong"));
}

TEST_F(RealiseTest, a_content_address_counts_as_proof_only_if_the_operator_says_so_and_it_is_right) {
  for (const auto& path : {*app_, *lib_, *base_})
    edit_narinfo("cache", path, [](nix::NarInfo& info) { info.info.signatures.clear(); });
  error_of(options({url("cache")}), ErrorKind::untrusted);
  RealiseOptions how = options({url("cache")});
  how.trust_content_addressed = true;
  {
    LocalStore store(node());
    realise(store, {*app_}, how);
    expect_realised();
  }
  remove_tree(node());
  edit_narinfo("cache", *lib_, [&](nix::NarInfo& info) { info.info.references.clear(); });
  EXPECT_THAT(error_of(how, ErrorKind::untrusted), HasSubstr("does not belong to"));
  edit_narinfo("cache", *lib_, [&](nix::NarInfo& info) { info.info.content_address.reset(); });
  EXPECT_THAT(error_of(how, ErrorKind::untrusted), HasSubstr("it is not signed"));
}

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

TEST_F(RealiseTest, many_realisations_of_one_closure_fetch_each_path_once) {
  std::atomic<uint64_t> fetched = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 5; ++i)
      threads.emplace_back([&] {
        LocalStore store(node());
        fetched += realise(store, {*app_}, options({url("cache")})).paths_fetched;
      });
  }
  EXPECT_EQ(fetched, 3u);
  expect_realised();
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

TEST_F(RealiseTest, uploads_go_to_an_http_cache_with_the_token_and_narinfos_after_those_of_their_references) {
  std::mutex mutex;
  std::vector<std::string> stored;
  HttpServer server({.upload_dir = temp_.path()}, [&](const ServerRequest& request) -> ServerResponse {
    if (request.method == "GET") return {.status = 404};
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

TEST_F(RealiseTest, a_cache_that_answers_nonsense_is_not_believed) {
  write_file(narinfo("cache", *lib_), "hello\n");
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted), HasSubstr("has no colon"));
  fs::copy_file(narinfo("cache", *base_), narinfo("cache", *lib_), fs::copy_options::overwrite_existing);
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted),
              HasSubstr("it describes " + base_->to_string()));
}

TEST_F(RealiseTest, a_realisation_costs_no_more_than_its_limits) {
  RealiseOptions how = options({url("cache")});
  how.limits.paths = 2;
  EXPECT_THAT(error_of(how, ErrorKind::untrusted), HasSubstr("more than 2 paths that are missing"));
  how = options({url("cache")});
  how.limits.disk = 1000;  // the base alone has 100,000
  EXPECT_THAT(error_of(how, ErrorKind::unavailable), HasSubstr("that are allowed"));
  how = options({url("cache")});
  how.limits.references = 100;
  EXPECT_THAT(error_of(how, ErrorKind::untrusted), HasSubstr("references of the closure's missing paths"));
}

TEST_F(RealiseTest, a_nar_that_is_a_million_levels_deep_is_refused_at_once) {
  auto text = [](std::string_view word) {
    std::string result;
    for (size_t i = 0; i < 8; ++i) result += static_cast<char>(word.size() >> (8 * i) & 0xff);
    return result + std::string(word) + std::string((8 - word.size() % 8) % 8, '\0');
  };
  std::string bomb = text("nix-archive-1");
  std::string level;
  for (const char* word : {"(", "type", "directory", "entry", "(", "name", "a", "node"}) level += text(word);
  for (int i = 0; i < 1'000'000; ++i) bomb += level;
  edit_narinfo("cache", *lib_, [&](nix::NarInfo& info) {
    info.info.nar_size = bomb.size();
    info.info.nar_hash = sha256(bomb);
    info.info.content_address.reset();
    info.info.signatures = {key_.sign(info.info.fingerprint())};
    info.file_hash.reset();
    info.file_size.reset();
  });
  write_file(nar("cache", *lib_),
             run_checked({.argv = {"zstd", "-qc1"}, .env = {}, .cwd = {}, .input = bomb}));
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted), HasSubstr("levels deep"));
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

TEST_F(RealiseTest, a_cache_whose_url_names_keys_is_believed_for_those_only) {
  const std::string other = nix::SecretKey::generate("other-1").public_key().to_string();
  EXPECT_THAT(error_of(options({url("cache") + "?trusted-key=" + url_encode(other)}), ErrorKind::untrusted),
              HasSubstr("signed by publisher-1, whom we do not trust; trusted keys: other-1"));
  RealiseOptions how{.caches = {url("cache") + "?trusted-key=" + url_encode(key_.public_key().to_string())}};
  LocalStore store(node());
  EXPECT_EQ(realise(store, {*app_}, how).paths_fetched, 3u);
  how.caches = {url("cache") + "?colour=red"};
  EXPECT_THROW(realise(store, {StorePath::parse("/nix/store/" + std::string(32, '0') + "-x")}, how), Error);
}

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

TEST_F(HttpRealiseTest, a_killed_realisation_leaves_nothing_visible_and_is_taken_up_again) {
  // The largest NAR comes to its middle, where the realising process is killed.
  const std::string contents = read_file(nar("cache", *lib_));
  const std::string name = "/nar/" + nar("cache", *lib_).filename().string();
  std::promise<void> killed;
  const std::shared_future<void> end = killed.get_future().share();
  std::atomic<bool> stalls = true;
  instead_ = [&, end](const ServerRequest& request) -> std::optional<ServerResponse> {
    if (!stalls || request.path != name) return std::nullopt;
    return ServerResponse{.stream =
                              [&, end](const ByteSink& sink) {
                                sink(std::string_view(contents).substr(0, 20));
                                end.wait();
                                fail(ErrorKind::unavailable, "the peer is gone");
                              },
                          .stream_size = contents.size()};
  };
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      LocalStore store(node());
      RealiseOptions how = http_options();
      how.workers = 3;
      realise(store, {*app_}, how);
    } catch (...) {
    }
    ::_exit(0);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  auto staged = [&] {
    std::error_code not_yet;
    for (const auto& entry : fs::directory_iterator(node() / "nix/var/nix/flox/staging", not_yet))
      if (entry.path().string().find(base_->digest()) != std::string::npos) return true;
    return false;
  };
  while (!staged() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ASSERT_TRUE(staged());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  stalls = false;
  killed.set_value();

  EXPECT_THAT(names_in(node() / "nix/store"), ElementsAre(".links"));
  EXPECT_THAT(names_in(node() / "nix/var/nix/flox/scratch"), testing::Not(IsEmpty()));
  LocalStore store(node());
  EXPECT_LE(realise(store, {*app_}, http_options()).paths_fetched, 2u);  // not base again
  EXPECT_THAT(names_in(store.scratch_directory()), IsEmpty());
  expect_realised();
}

TEST_F(HttpRealiseTest, a_fetcher_that_does_not_come_to_an_end_is_ended) {
  std::promise<void> ended;
  const std::shared_future<void> end = ended.get_future().share();
  instead_ = [end](const ServerRequest& request) -> std::optional<ServerResponse> {
    if (request.path.find("/nar/") != std::string::npos) end.wait();
    return std::nullopt;
  };
  RealiseOptions how = http_options();
  how.limits.time = std::chrono::milliseconds(1500);
  EXPECT_THAT(error_of(how, ErrorKind::unavailable), HasSubstr("in the time that it was given"));
  ended.set_value();
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

TEST_F(HttpRealiseTest, requests_to_a_bucket_are_signed) {
  std::atomic<int> unsigned_requests = 0;
  instead_ = [&](const ServerRequest& request) -> std::optional<ServerResponse> {
    const auto header = request.headers.find("authorization");
    const bool good = header != request.headers.end() && request.headers.contains("x-amz-date") &&
                      header->second.starts_with("AWS4-HMAC-SHA256 Credential=AKIATEST/") &&
                      header->second.find("/eu-central-1/s3/aws4_request,") != std::string::npos;
    if (!good) ++unsigned_requests;
    if (!request.path.starts_with("/bucket/")) return ServerResponse{.status = 400};
    const fs::path file = temp_.path() / "cache" / request.path.substr(8);
    if (!fs::exists(file)) return ServerResponse{.status = 403};
    return ServerResponse{.content_type = "application/octet-stream", .body_file = file};
  };
  ::setenv("AWS_ACCESS_KEY_ID", "AKIATEST", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
  LocalStore store(node());
  const auto result = realise(
      store, {*app_},
      options({fmt::format("s3://bucket?region=eu-central-1&endpoint=http://127.0.0.1:{}", server_.port())}));
  ::unsetenv("AWS_ACCESS_KEY_ID");
  ::unsetenv("AWS_SECRET_ACCESS_KEY");
  EXPECT_EQ(result.paths_fetched, 3u);
  EXPECT_EQ(unsigned_requests, 0);
}

TEST_F(RealiseTest,
       one_path_that_is_larger_than_all_others_goes_through_every_thread_and_is_checked_all_the_same) {
  LocalStore publisher(temp_.path() / "publisher");
  std::string text;
  while (text.size() < (20u << 20)) text += std::to_string(text.size()) + ",";
  const StorePath large = add(publisher, "large", text, {});
  upload_closure(publisher, *BinaryCache::open(url("large")), {large}, key_);
  {
    LocalStore store(node());
    EXPECT_EQ(realise(store, {large}, options({url("large")})).paths_fetched, 1u);
    EXPECT_EQ(read_file(store.real_path(large) / "share/text"), text);
  }
  remove_tree(node());
  std::string other =
      run_checked({.argv = {"zstd", "-qdc", nar("large", large)}, .env = {}, .cwd = {}, .input = {}});
  other[other.size() / 2] ^= 1;
  write_file(nar("large", large),
             run_checked({.argv = {"zstd", "-qc"}, .env = {}, .cwd = {}, .input = other}));
  LocalStore store(node());
  try {
    realise(store, {large}, options({url("large")}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::untrusted);
    EXPECT_THAT(error.what(), HasSubstr("hash mismatch"));
  }
  EXPECT_THAT(names_in(store.scratch_directory()), IsEmpty());
  EXPECT_FALSE(store.is_valid(large));
}

// Three paths of 12 MB that need a window of 16 MiB each, for realisations with 32 MiB of memory, 20 of them
// for decoders.
class LargeWindowTest : public RealiseTest {
 protected:
  LargeWindowTest() {
    LocalStore publisher(temp_.path() / "publisher");
    std::string text;
    while (text.size() < (12u << 20)) text += std::to_string(text.size()) + ",";
    for (const char* name : {"one", "two", "three"}) {
      paths_.insert(add(publisher, name, name + text, {}));
    }
    upload_closure(publisher, *BinaryCache::open(url("large")), paths_, key_);
    for (const StorePath& path : paths_) {
      const fs::path file = nar("large", path);
      const std::string nar =
          run_checked({.argv = {"zstd", "-qdc", file}, .env = {}, .cwd = {}, .input = {}});
      write_file(file,
                 run_checked({.argv = {"zstd", "-qc1", "--long=24"}, .env = {}, .cwd = {}, .input = nar}));
    }
  }
  // Small files are read as a whole first, others while they are decoded.
  void announce_size(bool small) const {
    for (const StorePath& path : paths_)
      edit_narinfo("large", path, [&](nix::NarInfo& info) {
        info.file_hash.reset();
        info.file_size = small ? std::optional<uint64_t>(4 << 20) : std::nullopt;
      });
  }
  RealiseOptions large_options(uint64_t memory) {
    RealiseOptions how = options({url("large")});
    how.workers = 3;
    how.memory = memory;
    how.on_progress = [this](const RealiseProgress& progress) { decoder_memory_ = progress.decoder_memory; };
    return how;
  }

  StorePathSet paths_;
  uint64_t decoder_memory_ = 0;
};

TEST_F(LargeWindowTest, decoders_with_large_windows_take_turns_where_memory_is_scarce) {
  for (const bool small : {true, false}) {
    announce_size(small);
    LocalStore store(node());
    EXPECT_EQ(realise(store, paths_, large_options(32 << 20)).paths_fetched, 3u);
    EXPECT_GT(decoder_memory_, 16u << 20);
    EXPECT_LE(decoder_memory_, 20u << 20);
    remove_tree(node());
  }
}

TEST_F(LargeWindowTest, whoever_waits_for_memory_gives_up_when_another_worker_has_failed) {
  for (const bool small : {true, false}) {
    announce_size(small);
    for (const StorePath& path : paths_) {
      const std::string file = read_file(nar("large", path));
      write_file(nar("large", path), std::string_view(file).substr(0, file.size() - 1000));
    }
    LocalStore store(node());
    EXPECT_THROW(realise(store, paths_, large_options(32 << 20)), Error);
    EXPECT_THAT(names_in(store.scratch_directory()), IsEmpty());
  }
}

TEST_F(LargeWindowTest, a_path_that_needs_more_memory_than_there_is_is_refused) {
  LocalStore store(node());
  try {
    realise(store, paths_, large_options(least_realise_memory));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("MiB of memory, and 17 MiB are allowed"));
  }
}

TEST_F(LargeWindowTest, too_little_memory_is_refused_at_once) {
  LocalStore store(node());
  try {
    realise(store, paths_, large_options(16 << 20));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
    EXPECT_THAT(error.what(), HasSubstr("16 MiB of memory are too little"));
  }
}

TEST_F(RealiseTest, closures_are_remembered_until_anybody_changes_the_store) {
  LocalStore store(node());
  realise(store, {*app_}, options({url("cache")}));
  const StorePathSet closure = store.closure({*app_});
  EXPECT_EQ(store.closure({*app_}), closure);
  run_checked({.argv = {"nix-store", "--store", node().string(), "--gc"},
               .env = {{"HOME", temp_.path()}, {"NIX_CONFIG", "build-users-group ="}},
               .cwd = {},
               .input = {}});
  EXPECT_TRUE(store.is_valid(*app_));  // its temporary roots held
  const StorePath other = add(store, "other", "x", {});
  EXPECT_EQ(store.closure({other}), StorePathSet{other});
  EXPECT_EQ(store.closure({*app_}), closure);
}

}  // namespace
}  // namespace flox::store
