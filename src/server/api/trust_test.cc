#include "server/api/trust.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"
#include "server/records/mirrored_owners.h"
#include "server/testing/records.h"
#include "trust/testing/owner.h"

namespace flox::server {
namespace {

using trust::testing::signed_by;
using trust::testing::TestOwner;

class TrustTest : public RecordsTest {
 protected:
  void begin() {
    trust_.put_root("acme", owner_.root_text());
    trust_.put_targets("acme", targets(1));
  }
  std::string root(uint64_t version) const {
    trust::Root root = owner_.root;
    root.version = version;
    return signed_by(root, {owner_.root_key});
  }
  std::string targets(uint64_t version) const {
    trust::Targets targets = owner_.targets;
    targets.version = version;
    return signed_by(targets, {owner_.targets_key});
  }
  trust::NameFile name_file_of(const std::string& name, uint64_t version,
                               std::map<std::string, trust::Target> targets) const {
    trust::NameFile file;
    owner_.head(file);
    file.name = name;
    file.version = version;
    file.targets = std::move(targets);
    return file;
  }
  // A build of the owner's, and the name file that lists these.
  catalog::PackageBuild owned(const std::string& version, char digit = '0') const {
    catalog::PackageBuild made = build("web", version, "", digit);
    made.owner = "acme";
    return made;
  }
  std::string name_file(const std::vector<catalog::PackageBuild>& builds, uint64_t version) const {
    std::map<std::string, trust::Target> targets;
    for (const auto& one : builds)
      targets.emplace(catalog::record_of(one).target_path(), catalog::record_of(one).to_target());
    return signed_by(name_file_of("packages/web", version, targets), {owner_.signing_key});
  }
  void publish(const catalog::PackageBuild& one, const std::string& file) {
    records_.add(one, trust_.check_build(one, file));
    trust_.published("acme");
  }
  StoredNameFile push(const std::string& manifest, uint64_t version) {
    Generation generation{.number = 0, .manifest = manifest, .lock = {}, .pushed_at = {}};
    generation.lock.manifest = nlohmann::json::object();
    const trust::EnvironmentRecord record{.owner = "acme",
                                          .name = "web",
                                          .generation = version,
                                          .manifest = manifest,
                                          .lock = generation.lock.to_string()};
    const auto file = trust_.check_generation(
        "acme", "web", generation,
        signed_by(name_file_of("environments/web", version, record.to_targets()), {owner_.signing_key}));
    environments_.push("acme", "web", generation, file);
    return file;
  }
  // As a node would.
  trust::Verifier node() {
    store_.accept("acme", {owner_.root_text()});
    return trust::Verifier(store_, [this] { return now_; });
  }
  template <typename Call>
  ErrorKind refusal(Call&& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << "not refused";
    return ErrorKind::internal;
  }

  EnvironmentRecords environments_{*database_};
  TrustRecords trust_records_{*database_};
  NameFiles name_files_{*database_};
  TestOwner owner_;
  trust::Time now_ = owner_.now;
  TrustService trust_{
      trust_records_, name_files_, {.online_key = owner_.online_key, .clock = [this] { return now_; }}};
  trust::TrustStore store_{dir_.path() / "roots", dir_.path() / "state"};
};

TEST_F(TrustTest, what_is_published_is_verified_by_a_node_and_stays_so) {
  begin();
  trust::Verifier verifier = node();
  publish(owned("1.0"), name_file({owned("1.0")}, 1));
  publish(owned("1.1", '1'), name_file({owned("1.0"), owned("1.1", '1')}, 2));
  push("one", 1);
  const auto provenance = verifier.verify_package(*trust_.evidence("acme", "packages/web"),
                                                  catalog::record_of(owned("1.1", '1')));
  EXPECT_EQ(provenance.version, 2U);
  push("two", 2);
  const auto environment = [&](int64_t generation, bool latest, const std::string& manifest) {
    return verifier.verify_environment(
        *trust_.evidence("acme", "environments/web", latest ? std::nullopt : std::optional(generation)),
        {.owner = "acme",
         .name = "web",
         .generation = static_cast<uint64_t>(generation),
         .manifest = manifest,
         .lock = environments_.find("acme", "web", generation)->lock.to_string(),
         .latest = latest});
  };
  EXPECT_EQ(environment(2, true, "two").version, 2U);
  EXPECT_EQ(environment(1, false, "one").version, 1U);
  EXPECT_EQ(refusal([&] { environment(1, true, "one"); }), ErrorKind::untrusted);
}

TEST_F(TrustTest, a_timestamp_is_kept_until_something_changes_or_half_of_its_life_is_over) {
  begin();
  publish(owned("1.0"), name_file({owned("1.0")}, 1));
  const auto version = [&](const TrustService& service) {
    return trust::Signed<trust::Timestamp>::parse(service.evidence("acme", "packages/web")->timestamp, "t")
        .content.version;
  };
  const uint64_t first = version(trust_);
  EXPECT_EQ(version(trust_), first);
  const TrustService restarted(trust_records_, name_files_,
                               {.online_key = owner_.online_key, .clock = [this] { return now_; }});
  EXPECT_EQ(version(restarted), first);
  publish(owned("1.1"), name_file({owned("1.0"), owned("1.1")}, 2));
  EXPECT_EQ(version(trust_), first + 1);
  EXPECT_EQ(version(restarted), first + 1);  // another catalog on the same databases
  now_ += std::chrono::hours(13);
  EXPECT_EQ(version(restarted), first + 2);
  EXPECT_EQ(version(trust_), first + 2);
}

TEST_F(TrustTest, a_timestamp_that_could_not_be_signed_is_signed_by_the_next_question) {
  bool fails = false;
  const TrustService service(trust_records_, name_files_, {.online_key = owner_.online_key, .clock = [&] {
                                                             if (fails) fail(ErrorKind::unavailable, "no");
                                                             return now_;
                                                           }});
  begin();
  trust::Verifier verifier = node();
  const auto verify = [&](const catalog::PackageBuild& one) {
    return verifier.verify_package(*service.evidence("acme", "packages/web"), catalog::record_of(one));
  };
  publish(owned("1.0"), name_file({owned("1.0")}, 1));
  verify(owned("1.0"));
  records_.add(owned("1.1", '1'),
               trust_.check_build(owned("1.1", '1'), name_file({owned("1.0"), owned("1.1", '1')}, 2)));
  fails = true;
  EXPECT_EQ(refusal([&] { service.evidence("acme", "packages/web"); }), ErrorKind::unavailable);
  fails = false;
  EXPECT_EQ(verify(owned("1.1", '1')).version, 2U);
}

TEST_F(TrustTest, a_root_names_the_online_key_and_follows_the_one_before) {
  TestOwner thief;  // of the same name, with other keys
  EXPECT_EQ(refusal([&] { trust_.put_root("acme", thief.root_text()); }), ErrorKind::invalid_input);
  try {
    trust_.put_root("acme", thief.root_text());
  } catch (const Error& error) {
    EXPECT_NE(error.advice().find("run 'flox trust rotate acme timestamp'"), std::string::npos);
  }
  EXPECT_EQ(refusal([&] { trust_.put_root("beta", owner_.root_text()); }), ErrorKind::invalid_input);
  EXPECT_EQ(refusal([&] { trust_.targets("acme"); }), ErrorKind::not_found);
  begin();
  trust_.put_root("acme", owner_.root_text());  // the same again
  EXPECT_EQ(refusal([&] { trust_.put_root("acme", root(3)); }), ErrorKind::conflict);
  trust_.put_root("acme", root(2));
  EXPECT_EQ(trust_.root("acme", 1), owner_.root_text());
  thief.root.timestamp = trust::testing::add_role(thief.root.keys, {owner_.online_key});
  thief.root.version = 3;
  EXPECT_EQ(refusal([&] { trust_.put_root("acme", thief.root_text()); }), ErrorKind::untrusted);
  thief.targets.version = 2;
  EXPECT_EQ(refusal([&] { trust_.put_targets("acme", signed_by(thief.targets, {thief.targets_key})); }),
            ErrorKind::untrusted);
  trust_.put_targets("acme", targets(3));
  EXPECT_EQ(refusal([&] { trust_.put_targets("acme", targets(2)); }), ErrorKind::conflict);
  // A thief of the key has put a version that nobody reaches: with another key the owner begins below it.
  trust_.put_targets("acme", targets(uint64_t{1} << 53));
  const nix::SecretKey stolen = owner_.targets_key;
  owner_.targets_key = trust::testing::key("targets-2");
  owner_.root.targets = trust::testing::add_role(owner_.root.keys, {owner_.targets_key});
  owner_.root.version = 3;
  trust_.put_root("acme", signed_by(owner_.root, {owner_.root_key}));
  trust_.put_targets("acme", targets(4));
  EXPECT_EQ(trust_.targets("acme"), targets(4));
  EXPECT_EQ(refusal([&] {
              trust_.put_targets("acme", targets(4));
              trust_.put_targets("acme", targets(3));
            }),
            ErrorKind::conflict);
  owner_.targets_key = stolen;
  EXPECT_EQ(refusal([&] { trust_.put_targets("acme", targets(5)); }), ErrorKind::untrusted);
}

TEST_F(TrustTest, a_publication_that_a_node_would_refuse_is_refused) {
  begin();
  const auto by = [&](const nix::SecretKey& key, uint64_t version,
                      std::map<std::string, trust::Target> targets) {
    return signed_by(name_file_of("packages/web", version, std::move(targets)), {key});
  };
  const trust::PackageRecord record = catalog::record_of(owned("1.0"));
  EXPECT_EQ(refusal([&] {
              publish(owned("1.0"), by(owner_.online_key, 1, {{record.target_path(), record.to_target()}}));
            }),
            ErrorKind::untrusted);
  EXPECT_EQ(refusal([&] { publish(owned("1.0"), by(owner_.signing_key, 1, {})); }), ErrorKind::invalid_input);
  EXPECT_EQ(refusal([&] { publish(owned("1.0"), name_file({owned("1.0")}, 2)); }), ErrorKind::conflict);
  EXPECT_TRUE(records_.builds("web").empty());
  publish(owned("1.0"), name_file({owned("1.0")}, 1));
  // What is not published cannot be listed, and other content is not what was published.
  EXPECT_EQ(refusal([&] {
              publish(owned("1.1"), name_file({owned("1.1"), owned("7.0")}, 2));
            }),
            ErrorKind::invalid_input);
  EXPECT_EQ(refusal([&] { publish(owned("1.0", '1'), name_file({owned("1.0", '1')}, 2)); }),
            ErrorKind::conflict);
  EXPECT_EQ(records_.builds("web").size(), 1U);
  EXPECT_EQ(refusal([&] { records_.add(build("web", "2.0")); }), ErrorKind::untrusted);
  now_ += std::chrono::days(366);
  EXPECT_EQ(refusal([&] {
              publish(owned("1.1"), name_file({owned("1.0"), owned("1.1")}, 2));
            }),
            ErrorKind::untrusted);
}

TEST_F(TrustTest, an_owner_takes_over_a_package_of_nobodys_and_what_it_does_not_sign_is_not_found) {
  begin();
  records_.add(build("web", "0.9"));
  records_.add(build("web", "1.0"));
  EXPECT_EQ(records_.owner_of("web"), "");
  publish(owned("1.0"), name_file({owned("1.0")}, 1));
  EXPECT_EQ(records_.owner_of("web"), "acme");
  ASSERT_EQ(records_.builds("web").size(), 1U);
  EXPECT_EQ(records_.builds("web")[0].version, "1.0");
  EXPECT_EQ(search(records_, "web")[0].owner, "acme");
  publish(owned("0.9"), name_file({owned("0.9")}, 2));  // starts over
  ASSERT_EQ(records_.builds("web").size(), 1U);
  EXPECT_EQ(records_.builds("web")[0].version, "0.9");
}

TEST_F(TrustTest, a_version_is_yanked_by_the_name_file_that_says_so_and_only_by_that) {
  begin();
  publish(owned("1.0"), name_file({owned("1.0")}, 1));
  publish(owned("1.1", '1'), name_file({owned("1.0"), owned("1.1", '1')}, 2));
  const auto saying = [&](uint64_t version, const std::optional<std::string>& reason) {
    std::map<std::string, trust::Target> targets;
    for (const auto& one : {owned("1.0"), owned("1.1", '1')})
      targets.emplace(catalog::record_of(one).target_path(), catalog::record_of(one).to_target());
    targets.at("1.1/x86_64-linux/any").yanked = reason;
    return signed_by(name_file_of("packages/web", version, targets), {owner_.signing_key});
  };
  const auto yank = [&](const std::optional<std::string>& reason, const std::string& file) {
    records_.yank("web", "1.1", reason, trust_.check_yank("acme", "web", "1.1", reason, file));
  };
  EXPECT_EQ(refusal([&] { yank("it leaks", saying(3, "something else")); }), ErrorKind::invalid_input);
  EXPECT_EQ(refusal([&] { yank("it leaks", saying(2, "it leaks")); }), ErrorKind::conflict);
  EXPECT_EQ(refusal([&] { records_.yank("web", "1.1", "unsigned"); }), ErrorKind::untrusted);
  yank("it leaks", saying(3, "it leaks"));
  EXPECT_EQ(records_.builds("web")[0].yanked, "it leaks");
  EXPECT_EQ(
      node()
          .verify_package(*trust_.evidence("acme", "packages/web"), catalog::record_of(owned("1.1", '1')))
          .yanked,
      "it leaks");
  yank(std::nullopt, saying(4, std::nullopt));
  EXPECT_FALSE(records_.builds("web")[0].yanked);
}

TEST_F(TrustTest, names_of_which_nothing_is_signed_have_evidence_of_that_the_owner_is_there) {
  EXPECT_FALSE(trust_.evidence("acme", "packages/web").has_value());
  begin();
  const auto evidence = trust_.evidence("acme", "packages/web");
  ASSERT_TRUE(evidence.has_value());
  EXPECT_EQ(evidence->name_file, "");
  EXPECT_EQ(evidence->targets, targets(1));
  EXPECT_FALSE(trust_.evidence("acme", "environments/web", 1).has_value());
  EXPECT_TRUE(trust_.has_root("acme"));
  EXPECT_FALSE(trust_.has_root("beta"));
}

TEST_F(TrustTest, of_many_packages_the_evidence_is_that_of_each) {
  EXPECT_TRUE(trust_.evidence_of_packages("acme", {"packages/web"}).empty());
  begin();
  publish(owned("1.0"), name_file({owned("1.0")}, 1));
  publish(owned("1.1", '1'), name_file({owned("1.0"), owned("1.1", '1')}, 2));
  catalog::PackageBuild api = build("api", "1.0");
  api.owner = "acme";
  const trust::PackageRecord record = catalog::record_of(api);
  publish(api, signed_by(name_file_of("packages/api", 1, {{record.target_path(), record.to_target()}}),
                         {owner_.signing_key}));
  const auto found = trust_.evidence_of_packages("acme", {"packages/api", "packages/none", "packages/web"});
  ASSERT_EQ(found.size(), 2u);
  for (const auto& [name, evidence] : found)
    EXPECT_EQ(evidence.to_json(), trust_.evidence("acme", name)->to_json()) << name;
}

TEST_F(TrustTest, a_catalog_that_signs_with_another_key_than_before_knows_it) {
  const std::string first = owner_.online_key.public_key().to_string();
  EXPECT_EQ(trust_records_.exchange_online_key(first), first);  // as the service has noted it
  const TrustService other(trust_records_, name_files_, {.online_key = owner_.signing_key});
  EXPECT_EQ(trust_records_.exchange_online_key(first), owner_.signing_key.public_key().to_string());
}

TEST_F(TrustTest, the_online_key_is_made_once_and_is_its_owners_alone) {
  const fs::path file = dir_.path() / "online.key";
  const std::string made = read_or_make_online_key(file).public_key().to_string();
  EXPECT_EQ(read_or_make_online_key(file).public_key().to_string(), made);
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(TrustTest, nobody_publishes_yanks_or_removes_for_an_owner_that_is_mirrored) {
  write_mirrored(*database_, {.owner = "acme",
                              .roots = {{1, owner_.root_text()}},
                              .targets = {1, targets(1)},
                              .names = {1, "{}"},
                              .packages = {},
                              .generations = {},
                              .gone = {}});
  const std::string file = name_file({owned("1.0")}, 1);
  EXPECT_EQ(refusal([&] { trust_.check_build(owned("1.0"), file); }), ErrorKind::conflict);
  EXPECT_EQ(refusal([&] { trust_.check_yank("acme", "web", "1.0", std::nullopt, file); }),
            ErrorKind::conflict);
  EXPECT_EQ(refusal([&] { trust_.check_removal("acme", "web", file); }), ErrorKind::conflict);
  EXPECT_EQ(refusal([&] { push("one", 1); }), ErrorKind::conflict);
}

TEST_F(TrustTest, an_online_key_that_is_there_is_read_and_nothing_is_written_beside_it) {
  const fs::path directory = dir_.path() / "given";  // a Secret that Kubernetes has mounted can only be read
  fs::create_directory(directory);
  write_file(directory / "online.key", nix::SecretKey::generate("catalog").to_secret_text().reveal(), 0600);
  read_or_make_online_key(directory / "online.key");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory), fs::directory_iterator()), 1);
}

TEST_F(TrustTest, how_a_name_stands_is_what_a_node_would_say) {
  EXPECT_FALSE(trust_.standing("acme", "packages/web"));
  begin();
  publish(owned("1.0"), name_file({owned("1.0")}, 1));
  const auto standing = trust_.standing("acme", "packages/web");
  ASSERT_TRUE(standing);
  EXPECT_EQ(standing->problem, "");
  EXPECT_EQ(standing->file.version, 1U);
  ASSERT_EQ(standing->signers.size(), 1U);
  EXPECT_FALSE(standing->role.empty());
  push("one", 1);
  EXPECT_EQ(trust_.standing("acme", "environments/web", 1)->problem, "");
  EXPECT_FALSE(trust_.standing("acme", "environments/web", 2));

  // The key is revoked, then all has expired.
  trust::Targets without = owner_.targets;
  without.version = 2;
  without.roles.clear();
  trust_.put_targets("acme", signed_by(without, {owner_.targets_key}));
  const auto revoked = trust_.standing("acme", "packages/web");
  ASSERT_TRUE(revoked);
  EXPECT_NE(revoked->problem, "");
  EXPECT_EQ(revoked->file.version, 1U);
  EXPECT_TRUE(revoked->signers.empty());
  now_ += std::chrono::days(10'000);
  EXPECT_NE(trust_.standing("acme", "packages/web")->problem.find("expired"), std::string::npos);
}

}  // namespace
}  // namespace flox::server
