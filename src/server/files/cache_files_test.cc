#include "server/files/cache_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/error.h"
#include "base/os/file.h"
#include "nix/cache_layout.h"
#include "server/testing/uploads.h"

namespace flox::server {
namespace {

TEST_F(UploadTest, finds_only_names_that_a_cache_has) {
  write_file(dir_.path() / "secret", "x");
  EXPECT_TRUE(cache_.find("nix-cache-info"));
  for (const char* name : {"../secret", "nar/../../secret", "", "uploads", "/etc/passwd",
                           "00000000000000000000000000000000.narinfo"})
    EXPECT_FALSE(cache_.find(name)) << name;
}

TEST_F(UploadTest, a_path_whose_nar_and_references_are_here_is_taken) {
  upload('0', "library");
  upload('1', "program", {path('0'), path('1')});
  EXPECT_EQ(cache_.closure({path('1')}).size(), 2u);
}

TEST_F(UploadTest, what_does_not_prove_itself_is_refused) {
  EXPECT_EQ(refusal([&] { accept("nar/" + std::string(52, '0') + ".nar", "x"); }), ErrorKind::untrusted);
  nix::NarInfo narinfo = upload_nar('0', "library");
  EXPECT_EQ(refusal([&] { put_narinfo(narinfo); }), ErrorKind::untrusted);
  const auto changed = [&](auto&& change) {
    nix::NarInfo copy = narinfo;
    change(copy);
    return refusal([&] { accept(copy); });
  };
  EXPECT_EQ(changed([](auto& n) { n.info.references = {path('5')}; }), ErrorKind::not_found);
  EXPECT_EQ(changed([](auto& n) { n.file_size = 3; }), ErrorKind::untrusted);
  EXPECT_EQ(changed([](auto& n) { n.file_size = std::nullopt; }), ErrorKind::untrusted);
  EXPECT_EQ(changed([](auto& n) { n.file_hash = sha256("x"); }), ErrorKind::untrusted);
  EXPECT_EQ(changed([](auto& n) { n.info.nar_hash = sha256("x"); }), ErrorKind::untrusted);
  EXPECT_EQ(changed([](auto& n) { n.info.nar_size = 8; }), ErrorKind::untrusted);
  EXPECT_EQ(changed([](auto& n) { n.compression = "zstd"; }), ErrorKind::invalid_input);
  for (const char* url : {"http://elsewhere/", "http://169.254.169.254/", "../", "/"})
    EXPECT_EQ(changed([&](auto& n) { n.url = url + n.url; }), ErrorKind::not_found);
  EXPECT_EQ(refusal([&] { accept(std::string(32, '1') + ".narinfo", narinfo.to_string()); }),
            ErrorKind::invalid_input);
  for (const char* name : {"x", "../x", "nar/../x", "nix-cache-info"})
    EXPECT_EQ(refusal([&] { accept(name, "x"); }), ErrorKind::invalid_input) << name;
  EXPECT_FALSE(cache_.narinfo(path('0')));
}

TEST_F(UploadTest, a_compressed_nar_is_unpacked_to_see_that_it_is_what_its_narinfo_says) {
  std::string content;
  for (int i = 0; i < 300'000; ++i) content += std::to_string(i);
  const nix::NarInfo narinfo = upload_zstd('0', content);
  nix::NarInfo lying = narinfo;
  lying.info.nar_hash = sha256("x");
  EXPECT_EQ(refusal([&] { accept(lying); }), ErrorKind::untrusted);
  accept(narinfo);
  EXPECT_TRUE(cache_.narinfo(path('0')));
  // What the database does not know, because it was restored, is unpacked again.
  const TempDir restored;
  const TestDatabase restored_database(restored.path());
  const auto database = restored_database.open();
  NarRecords nars(*database);
  CacheFiles later(*store_, nars, keys_);
  nix::NarInfo second = narinfo;
  second.info.path = path('1');
  lying.info.path = path('1');
  for (auto* one : {&lying, &second}) {
    one->info.signatures = {key_.sign(one->info.fingerprint())};
    const std::string name = std::string(32, '1') + ".narinfo";
    const auto sink = later.begin(name);
    sink->write(one->to_string());
    if (one == &lying)
      EXPECT_EQ(refusal([&] { later.accept(name, *sink); }), ErrorKind::untrusted);
    else
      later.accept(name, *sink);
  }
  EXPECT_TRUE(later.narinfo(path('1')));
  EXPECT_EQ(refusal([&] { accept("nar/" + nix::to_base32(bytes_of(sha256("junk"))) + ".nar.zst", "junk"); }),
            ErrorKind::invalid_input);
}

TEST_F(UploadTest, a_small_file_that_unpacks_to_much_is_unpacked_no_further_than_it_says) {
  const nix::NarInfo narinfo = upload_zstd('0', std::string(200 << 20, '\0'));
  EXPECT_LT(*narinfo.file_size, 1u << 20);
  nix::NarInfo lying = narinfo;
  lying.info.nar_size = 100;
  EXPECT_EQ(refusal([&] { accept(lying); }), ErrorKind::untrusted);
  accept(narinfo);
  EXPECT_TRUE(cache_.narinfo(path('0')));
}

TEST_F(UploadTest, a_published_path_gains_valid_signatures_and_nothing_else) {
  nix::NarInfo narinfo = upload('0', "library");
  accept(narinfo, other_);
  EXPECT_EQ(signatures('0').size(), 2u);
  accept(narinfo, other_);
  EXPECT_EQ(signatures('0').size(), 2u);
  nix::NarInfo changed = upload_nar('0', "changed library");
  EXPECT_EQ(refusal([&] { accept(changed); }), ErrorKind::conflict);
  // The same content at another place: nobody could fetch it if that went away.
  changed = upload_zstd('0', "library");
  EXPECT_EQ(refusal([&] { accept(changed); }), ErrorKind::conflict);
  changed = narinfo;
  changed.info.references = {path('0')};
  EXPECT_EQ(refusal([&] { accept(changed); }), ErrorKind::conflict);
  changed = narinfo;
  changed.info.deriver = nix::StorePath::from_base_name(std::string(32, '9') + "-x.drv");
  changed.info.content_address = nix::ContentAddress::of_nar({});
  accept(changed);
  EXPECT_FALSE(cache_.narinfo(path('0'))->info.deriver);
  EXPECT_FALSE(cache_.narinfo(path('0'))->info.content_address);
  EXPECT_EQ(cache_.narinfo(path('0'))->url, narinfo.url);
  EXPECT_EQ(cache_.narinfo(path('0'))->info.nar_hash, narinfo.info.nar_hash);
}

TEST_F(UploadTest, a_signature_is_believed_for_its_key_and_not_for_its_name) {
  nix::NarInfo narinfo = upload_nar('0', "library");
  const nix::SecretKey forged = nix::SecretKey::generate("k");
  EXPECT_EQ(refusal([&] { accept(narinfo, forged); }), ErrorKind::untrusted);
  EXPECT_EQ(refusal([&] { accept(narinfo, nix::SecretKey::generate("stranger")); }), ErrorKind::untrusted);
  narinfo.info.signatures = {key_.sign("something else"), "k:" + std::string(86, 'A') + "==", "k", ":", ""};
  EXPECT_EQ(refusal([&] { put_narinfo(narinfo); }), ErrorKind::untrusted);
  narinfo.info.signatures = {forged.sign(narinfo.info.fingerprint())};
  accept(narinfo, key_);
  EXPECT_THAT(signatures('0'), testing::ElementsAre(key_.sign(narinfo.info.fingerprint())));
}

TEST_F(UploadTest, signatures_do_not_pile_up_whether_keys_are_registered_or_not) {
  nix::NarInfo narinfo = upload('0', "library");
  for (int i = 0; i < 300; ++i)
    narinfo.info.signatures.push_back(fmt::format("k{}:{}==", i, std::string(86, 'A')));
  accept(narinfo);
  EXPECT_EQ(signatures('0').size(), 1u);
  narinfo.info.signatures.resize(300, "k:" + std::string(300, 'A'));
  const std::string all = narinfo.to_string();
  EXPECT_EQ(refusal([&] {
              accept(std::string(32, '0') + ".narinfo", all + std::string(nix::max_narinfo_size, '\n'));
            }),
            ErrorKind::invalid_input);
  EXPECT_EQ(plausible_signatures({}).size(), 0u);
  std::vector<std::string> many;
  for (int i = 0; i < 300; ++i)
    for (int again = 0; again < 2; ++again)
      many.push_back(fmt::format("k{}:{}==", i, std::string(86, again == 0 ? 'A' : 'B')));
  EXPECT_EQ(plausible_signatures(many).size(), most_signatures);
  EXPECT_THAT(plausible_signatures({"a:xx", "b", ":", "c:" + std::string(86, 'A') + "==", "c:again"}),
              testing::SizeIs(1));
}

TEST_F(UploadTest, a_narinfo_does_not_grow_by_signatures_until_no_client_reads_it) {
  const auto long_name = [](char c) { return std::string(nix::max_narinfo_size / 5 * 3, c); };
  const nix::SecretKey first = nix::SecretKey::generate(long_name('a'));
  const nix::SecretKey second = nix::SecretKey::generate(long_name('b'));
  const RegisteredKeys keys({first.public_key().to_string(), second.public_key().to_string()});
  nix::NarInfo narinfo = upload_nar('0', "library");
  CacheFiles cache(*store_, nars_, keys);
  const auto put = [&](const nix::SecretKey& key) {
    narinfo.info.signatures = {key.sign(narinfo.info.fingerprint())};
    const std::string name = nix::narinfo_name(narinfo.info.path);
    const auto sink = cache.begin(name);
    sink->write(narinfo.to_string());
    cache.accept(name, *sink);
  };
  put(first);
  EXPECT_EQ(refusal([&] { put(second); }), ErrorKind::invalid_input);
  EXPECT_THAT(cache.narinfo(path('0'))->info.signatures, testing::SizeIs(1));
}

TEST_F(UploadTest, what_is_uploaded_has_limits_and_what_nobody_publishes_goes) {
  const TempDir other;
  const TestDatabase other_database(other.path());
  const auto database = other_database.open();
  NarRecords nars(*database);
  const TestStore test_store(dir_.path() / "small");
  const auto store = test_store.open();
  CacheFiles small(*store, nars, keys_, {.max_upload = 1000, .max_store_bytes = 2000, .database_bytes = 100});
  const auto status_of = [&](std::string_view name, size_t size) {
    try {
      small.begin(name)->write(std::string(size, 'x'));
    } catch (const StatusError& error) {
      return error.status();
    }
    return 0;
  };
  const std::string nar = "nar/" + std::string(52, '0') + ".nar";
  EXPECT_EQ(status_of(nar, 900), 0);
  EXPECT_EQ(status_of(nar, 1001), 413);
  EXPECT_EQ(status_of(std::string(32, '0') + ".narinfo", nix::max_narinfo_size + 1), 413);
  auto held = small.begin(nar);
  held->write(std::string(1000, 'x'));
  EXPECT_TRUE(store->spool().names().empty()) << "it has no name that could be left";
  EXPECT_EQ(status_of(nar, 999), 507);
  held.reset();
  // An upload that is given up leaves nothing, and room.
  EXPECT_LT(small.used(), 1000u);
  EXPECT_TRUE(store->spool().names().empty());

  const nix::NarInfo published = upload('0', "library");
  const nix::NarInfo orphan = upload_nar('1', "orphan");
  EXPECT_EQ(cache_.remove_orphans(), 0u);
  const auto later = Clock::now() + std::chrono::hours(25);
  const uint64_t before = cache_.used();
  EXPECT_EQ(cache_.remove_orphans(later), 1u);
  EXPECT_EQ(cache_.used(), before - std::string("orphan").size());
  EXPECT_TRUE(cache_.find(published.url));
  EXPECT_FALSE(cache_.find(orphan.url));
  EXPECT_TRUE(store_->spool().names().empty());
}

// Another catalog with the same database and store.
class SharedCacheTest : public UploadTest {
 protected:
  std::unique_ptr<Database> other_database_ = test_database_.open();
  NarRecords other_nars_{*other_database_};
  std::unique_ptr<ObjectStore> other_store_ = test_store_.open();
  CacheFiles other_cache_{*other_store_, other_nars_, keys_};

  void accept_there(nix::NarInfo narinfo, const nix::SecretKey& key) {
    narinfo.info.signatures = {key.sign(narinfo.info.fingerprint())};
    const std::string name = nix::narinfo_name(narinfo.info.path);
    const auto sink = other_cache_.begin(name);
    sink->write(narinfo.to_string());
    other_cache_.accept(name, *sink);
  }
};

TEST_F(SharedCacheTest, two_catalogs_that_add_signatures_at_once_lose_none) {
  for (const char digit : {'0', '1', '2', '3', '4', '5', '6', '7'}) {
    const nix::NarInfo narinfo = upload_nar(digit, std::string("library ") + digit);
    std::thread there([&] { accept_there(narinfo, other_); });
    accept(narinfo, key_);
    there.join();
    EXPECT_EQ(signatures(digit).size(), 2u);
    EXPECT_EQ(other_cache_.narinfo(path(digit))->info.signatures.size(), 2u);
  }
}

TEST_F(SharedCacheTest, what_one_receives_the_other_publishes_and_serves) {
  const nix::NarInfo narinfo = upload_nar('0', "library");
  accept_there(narinfo, key_);
  EXPECT_TRUE(cache_.narinfo(path('0')));
  EXPECT_TRUE(cache_.find(narinfo.url));
}

TEST_F(SharedCacheTest, what_one_publishes_the_other_does_not_take_for_an_orphan) {
  const nix::NarInfo narinfo = upload_nar('0', "library");
  const nix::NarInfo orphan = upload_nar('1', "orphan");
  // It was uploaded long ago, as the other one sees it, and its narinfo comes now.
  const auto later = Clock::now() + std::chrono::hours(25);
  nars_.use(narinfo.url, later);
  EXPECT_EQ(other_cache_.remove_orphans(later), 1u);
  accept(narinfo);
  EXPECT_EQ(other_cache_.remove_orphans(later + std::chrono::hours(100)), 0u);
  EXPECT_TRUE(other_cache_.find(narinfo.url));
  EXPECT_FALSE(other_cache_.find(orphan.url));
}

TEST_F(SharedCacheTest, a_nar_that_the_database_does_not_know_is_kept_if_a_narinfo_names_it) {
  const nix::NarInfo narinfo = upload('0', "library");
  nars_.end_removal(narinfo.url);  // as in a database that was restored
  EXPECT_EQ(other_cache_.remove_orphans(Clock::now() + std::chrono::hours(25)), 0u);
  EXPECT_TRUE(other_cache_.find(narinfo.url));
  EXPECT_TRUE(nars_.named().contains(narinfo.url));
}

TEST_F(UploadTest, a_file_over_the_size_of_one_request_arrives_whole) {
  std::string content(S3Store::largest_put + 5, 'x');
  for (size_t i = 0; i < content.size(); i += 4096) content[i] = static_cast<char>(i / 4096);
  const nix::NarInfo narinfo = upload('0', content);
  Sha256 hash;
  store_->stream(narinfo.url, [&](std::string_view piece) { hash.update(piece); });
  EXPECT_EQ(hash.finish(), sha256(content));
}

TEST_F(UploadTest, a_closure_with_a_hole_is_none) {
  nix::NarInfo library = upload('0', "library");
  upload('1', "program", {path('0')});
  store_->remove(library.url);
  EXPECT_EQ(refusal([&] { cache_.closure({path('1')}); }), ErrorKind::invalid_input);
}

TEST_F(UploadTest, what_came_after_it_was_asked_who_may_read_it_is_not_kept_in_memory) {
  // Missing, it was everyone's; then it came, somebody's.
  const uint64_t changes = cache_.changes();
  const std::string nar = upload('0', "secret").url;
  for (const auto& name : {nar, nix::narinfo_name(path('0'))}) {
    cache_.small_file(name, changes);
    EXPECT_FALSE(cache_.hot_file(name));
    cache_.small_file(name, std::nullopt);
    EXPECT_FALSE(cache_.hot_file(name));
  }
}

}  // namespace
}  // namespace flox::server
