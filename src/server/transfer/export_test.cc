#include "server/transfer/export.h"

#include <gmock/gmock.h>

#include <utility>

#include "base/data/json.h"
#include "nix/cache_layout.h"
#include "server/files/collector.h"
#include "server/records/cache_readers.h"
#include "server/records/records.h"
#include "server/testing/records.h"
#include "server/testing/uploads.h"
#include "server/transfer/export_format.h"

namespace flox::server {
namespace {

namespace fs = std::filesystem;

// A store in which something happens while it is read.
class WatchedStore : public ObjectStore {
 public:
  explicit WatchedStore(ObjectStore& store) : store_(store) {}
  std::function<void()> before_list = [] {}, after_stream = [] {};

  std::string name() const override { return store_.name(); }
  const Directory& spool() const override { return store_.spool(); }
  void prepare(const std::string& name, const std::string& text) override { store_.prepare(name, text); }
  std::optional<ObjectStatus> status(const std::string& name) const override { return store_.status(name); }
  std::optional<SmallObject> read(const std::string& name, size_t most) const override {
    return store_.read(name, most);
  }
  void stream(const std::string& name, const ByteSink& sink) const override {
    store_.stream(name, sink);
    after_stream();
  }
  std::optional<ServedObject> serve(const std::string& name) const override { return store_.serve(name); }
  bool put(const std::string& name, const SpooledFile& file) override { return store_.put(name, file); }
  bool replace(const std::string& name, const std::string& text, const std::string& version) override {
    return store_.replace(name, text, version);
  }
  void remove(const std::string& name) override { store_.remove(name); }
  void list_nars(const Listed& take) const override { store_.list_nars(take); }
  void list_narinfos(const Listed& take) const override {
    before_list();
    store_.list_narinfos(take);
  }
  std::optional<uint64_t> size() const override { return store_.size(); }
  bool is_shared() const override { return store_.is_shared(); }
  void check() const override { store_.check(); }

 private:
  ObjectStore& store_;
};

class ExportTest : public UploadTest {
 protected:
  void collect() { collector_.run(false, later_, later_); }
  void forget_builds() {
    database_->write([](Session& session) { session.run("delete from builds"); });
  }
  void export_all() { export_catalog(*database_, watched_, export_); }
  std::string rows(const std::string& table) {
    const ExportIndex index = ExportIndex::parse(read_file(export_ / export_name));
    return read_file(export_ / records_file(table, index.tables.at(table).sha256));
  }
  bool has(const std::string& name) { return rows("files").find('"' + name + '"') != std::string::npos; }
  std::string narinfo_file(char digit) {
    return read_file(export_ / export_cache / nix::narinfo_name(path(digit)));
  }

  Clock::time_point later_ = Clock::now() + std::chrono::hours(25);  // nothing is young then
  Records records_{*database_};
  CacheReaders readers_{*database_};
  Collector collector_{cache_, [this](const Collector::Take& take) { records_.for_each_needed_path(take); }};
  WatchedStore watched_{*store_};
  fs::path export_ = dir_.path() / "export";
};

TEST_F(ExportTest, what_is_collected_meanwhile_is_in_it_with_its_readers_or_not_at_all) {
  const nix::NarInfo secret = upload('0', "secret");
  for (const auto& name : {nix::narinfo_name(path('0')), secret.url}) readers_.restrict_to(name, "acme");
  bool is_collected = false;
  watched_.after_stream = [&] {
    if (!std::exchange(is_collected, true)) collect();
  };
  export_all();
  ASSERT_TRUE(is_collected);
  for (const auto& name : {nix::narinfo_name(path('0')), secret.url})
    EXPECT_TRUE(!has(name) || rows("cache_readers").find(name) != std::string::npos) << name;
}

TEST_F(ExportTest, of_builds_that_are_removed_and_collected_meanwhile_is_of_the_time_after) {
  upload('0', "library");
  upload('1', "program", {path('0')});
  records_.add(build("web", "1.0", "", '1'));
  watched_.before_list = [&] {
    forget_builds();
    collect();
  };
  export_all();
  EXPECT_EQ(rows("builds"), "");
  EXPECT_FALSE(has(nix::narinfo_name(path('1'))));
}

TEST_F(ExportTest, that_cannot_be_whole_leaves_the_one_before) {
  upload('0', "library");
  upload('1', "program", {path('0')});
  records_.add(build("web", "1.0", "", '1'));
  export_all();
  const std::string before = read_file(export_ / export_name);
  const std::string narinfo = narinfo_file('1');
  nix::NarInfo again = *cache_.narinfo(path('1'));
  accept(again, other_);  // the catalog's narinfo is another one now
  store_->remove(nix::narinfo_name(path('0')));
  EXPECT_EQ(refusal([&] { export_all(); }), ErrorKind::not_found);
  EXPECT_EQ(read_file(export_ / export_name), before);
  EXPECT_EQ(narinfo_file('1'), narinfo);
  EXPECT_TRUE(has(nix::narinfo_name(path('0'))));
  narinfo_file('0');
}

TEST_F(ExportTest, leaves_out_what_refers_to_something_that_is_missing) {
  upload('0', "library");
  upload('1', "program", {path('0')});
  upload('2', "other program");
  store_->remove(nix::narinfo_name(path('0')));
  export_all();
  EXPECT_FALSE(has(nix::narinfo_name(path('1'))));
  EXPECT_TRUE(has(nix::narinfo_name(path('2'))));
}

}  // namespace
}  // namespace flox::server
