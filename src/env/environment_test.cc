#include "env/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"
#include "env/activation.h"
#include "env/manifest_edit.h"
#include "env/profile.h"

namespace flox::env {
namespace {

using testing::HasSubstr;

// A catalog of the packages that it is given, each at the versions given, for this machine's system alone
// unless told otherwise.
class FakeResolver : public Resolver {
 public:
  std::map<std::string, std::map<std::string, nix::StorePath>> packages;
  std::set<std::string, std::less<>> systems_there = {current_system()};
  int asked = 0;

  LockedPackage resolve(std::string_view id, const InstallDescriptor& descriptor,
                        std::string_view system) override {
    if (!systems_there.contains(system)) fail(ErrorKind::not_found, "no package for {}", system);
    ++asked;
    auto package = packages.find(descriptor.pkg_path);
    if (package == packages.end()) fail(ErrorKind::not_found, "no package {}", descriptor.pkg_path);
    auto version =
        descriptor.version ? package->second.find(*descriptor.version) : std::prev(package->second.end());
    if (version == package->second.end()) fail(ErrorKind::not_found, "no version {}", *descriptor.version);
    nlohmann::json entry = {{"install_id", id},
                            {"attr_path", descriptor.pkg_path},
                            {"version", version->first},
                            {"system", system},
                            {"group", "toplevel"},
                            {"priority", 5},
                            {"outputs", {{"out", version->second.to_string()}}}};
    return Lockfile::parse(nlohmann::json{{"lockfile-version", 1}, {"packages", {entry}}}.dump()).packages[0];
  }
};

class EnvironmentTest : public testing::Test {
 protected:
  // A package in the store that holds these files.
  nix::StorePath add(std::string_view name, const std::map<std::string, std::string>& files) {
    TempDir tree;
    for (const auto& [path, content] : files) {
      fs::create_directories((tree.path() / path).parent_path());
      write_file(tree.path() / path, content, 0755);
    }
    return store_.add_tree(tree.path(), name, {}).path;
  }
  Environment make(const std::string& install) {
    Environment environment = Environment::init(dir_.path() / "web", "web");
    write_file(dir_.path() / "web/.flox/env/manifest.toml", "version = 1\n[install]\n" + install);
    return environment;
  }

  TempDir dir_;
  store::LocalStore store_{dir_.path() / "root"};
  FakeResolver resolver_;
};

TEST_F(EnvironmentTest, a_lock_that_answers_its_manifest_is_not_asked_for_again) {
  resolver_.packages["a"].emplace("1", add("a-1", {{"bin/a", "1"}}));
  Environment environment = make("a.pkg-path = \"a\"\n");
  environment.lock(resolver_);
  environment.lock(resolver_);
  EXPECT_EQ(resolver_.asked, 1);
}

TEST_F(EnvironmentTest, adding_a_package_keeps_the_others_where_they_are) {
  resolver_.packages["a"].emplace("1", add("a-1", {{"bin/a", "1"}}));
  resolver_.packages["b"].emplace("1", add("b-1", {{"bin/b", "1"}}));
  Environment environment = make("a.pkg-path = \"a\"\n");
  environment.lock(resolver_);
  resolver_.packages["a"].emplace("2", add("a-2", {{"bin/a", "2"}}));
  Lockfile lock =
      environment.edit(with_install(environment.manifest_text(), "b", {.pkg_path = "b"}), resolver_);
  ASSERT_EQ(lock.packages.size(), 2u);
  EXPECT_EQ(lock.packages[0].version, "1");
}

TEST_F(EnvironmentTest, an_edit_that_cannot_be_locked_changes_nothing) {
  Environment environment = make("");
  std::string before = environment.manifest_text();
  EXPECT_THROW(environment.edit(with_install(before, "x", {.pkg_path = "nonsense"}), resolver_), Error);
  EXPECT_EQ(environment.manifest_text(), before);
  EXPECT_FALSE(environment.lockfile());
}

TEST_F(EnvironmentTest, that_came_with_links_out_of_it_writes_nothing_there) {
  Environment environment = make("");
  const fs::path files = dir_.path() / "web/.flox", outside = dir_.path() / "outside";
  fs::create_directories(outside);
  fs::rename(files / "env", outside / "env");
  fs::create_directory_symlink(outside / "env", files / "env");
  EXPECT_THROW(environment.lock(resolver_), Error);
  EXPECT_THROW(environment.edit("version = 1\n[vars]\na = \"1\"\n", resolver_), Error);
  EXPECT_EQ(read_file(outside / "env/manifest.toml"), "version = 1\n[install]\n");
  EXPECT_FALSE(fs::exists(outside / "env/manifest.lock"));
  fs::create_directory_symlink(outside, files / "run");
  EXPECT_THROW(environment.set_run_link("x86_64-linux", "run", add("p-1", {{"a", "1"}})), Error);
  EXPECT_EQ(std::distance(fs::directory_iterator(outside), {}), 1);
}

TEST_F(EnvironmentTest, may_be_a_link_to_another_place_of_the_users) {
  make("");
  fs::rename(dir_.path() / "web/.flox", dir_.path() / "elsewhere");
  fs::create_directory_symlink(dir_.path() / "elsewhere", dir_.path() / "web/.flox");
  Environment environment = Environment::open(dir_.path() / "web");
  environment.lock(resolver_);
  environment.set_run_link("x86_64-linux", "run", add("p-1", {{"a", "1"}}));
  EXPECT_TRUE(fs::exists(dir_.path() / "elsewhere/env/manifest.lock"));
  EXPECT_TRUE(fs::is_symlink(environment.run_link("x86_64-linux", "run")));
}

TEST_F(EnvironmentTest, the_primary_package_is_pinned_by_name) {
  resolver_.packages["web"] = {{"0.9", add("web-0.9", {{"bin/web", "0.9"}})},
                               {"1.0", add("web-1.0", {{"bin/web", "1.0"}})}};
  resolver_.packages["a"].emplace("1", add("a-1", {{"bin/a", "1"}}));
  Environment environment = make("web.pkg-path = \"web\"\na.pkg-path = \"a\"\n");
  Lockfile lock = environment.lock(resolver_);
  Lockfile pinned = with_primary_version(lock, "web-env", "0.9", current_system(), resolver_);
  EXPECT_EQ(pinned.packages[1].version, "0.9");
  EXPECT_THROW(with_primary_version(lock, "web", "7", current_system(), resolver_), Error);
  EXPECT_THROW(with_primary_version(lock, "other", "0.9", current_system(), resolver_), Error);
}

TEST_F(EnvironmentTest, the_nearest_above_is_found_inside_the_repository_only) {
  const fs::path top = dir_.path() / "top", work = top / "repository/src/deep";
  fs::create_directories(work);
  Environment::init(top, "outside");
  EXPECT_THROW(Environment::find(work), Error);  // no repository
  fs::create_directory(top / "repository/.git");
  EXPECT_THROW(Environment::find(work), Error);  // above the repository
  Environment::init(top / "repository", "inside");
  EXPECT_EQ(Environment::find(work).name(), "inside");
  EXPECT_EQ(Environment::find(top / "repository").name(), "inside");
  if (::geteuid() != 0) return;
  ASSERT_EQ(::chown((top / "repository/.flox").c_str(), 65534, 65534), 0);
  try {
    Environment::find(work);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::untrusted);
    EXPECT_THAT(error.advice(), testing::HasSubstr("-d "));
  }
  EXPECT_EQ(Environment::find(top / "repository").name(), "inside");  // it is named
  fs::permissions(top / "repository", fs::perms::all);
  try {
    Environment::find(top / "repository");  // anybody could have made it there
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::untrusted);
    EXPECT_THAT(error.advice(), testing::HasSubstr("chown"));
  }
  ASSERT_EQ(::chown((top / "repository/.flox").c_str(), 0, 0), 0);
  EXPECT_EQ(Environment::find(top / "repository").name(), "inside");
}

// As in /tmp, which is root's and where everybody can make a link.
TEST_F(EnvironmentTest, a_link_of_another_users_above_is_refused_wherever_it_leads) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a link away";
  const fs::path top = dir_.path() / "top", work = top / "src";
  fs::create_directories(work);
  fs::create_directory(top / ".git");
  Environment::init(dir_.path() / "elsewhere", "elsewhere");
  fs::create_directory_symlink(dir_.path() / "elsewhere/.flox", top / ".flox");
  EXPECT_EQ(Environment::find(work).name(), "elsewhere");
  ASSERT_EQ(::lchown((top / ".flox").c_str(), 65534, 65534), 0);
  try {
    Environment::find(work);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::untrusted);
    EXPECT_THAT(error.what(), testing::HasSubstr("belongs to another user"));
  }
}

TEST_F(EnvironmentTest, the_only_one_below_is_found_and_two_are_named) {
  make("");
  bool below = false;
  EXPECT_EQ(Environment::find(dir_.path(), &below).name(), "web");
  EXPECT_TRUE(below);
  Environment::init(dir_.path() / "another", "another");
  try {
    Environment::find(dir_.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("another, web"));
  }
}

TEST_F(EnvironmentTest, a_profile_merges_directories_and_is_the_same_every_time) {
  resolver_.packages["a"].emplace("1", add("a-1", {{"bin/a", "a"}, {"share/only-a/x", "x"}}));
  resolver_.packages["b"].emplace("1", add("b-1", {{"bin/b", "b"}}));
  Lockfile lock = make("a.pkg-path = \"a\"\nb.pkg-path = \"b\"\n").lock(resolver_);
  nix::PathInfo one = build_profile(store_, lock, current_system(), "run");
  store::LocalStore other(dir_.path() / "other");
  add("unused", {{"x", "x"}});
  EXPECT_EQ(build_profile(store_, lock, current_system(), "run").path, one.path);
  fs::path profile = store_.real_path(one.path);
  EXPECT_TRUE(fs::is_directory(fs::symlink_status(profile / "bin")));
  EXPECT_EQ(fs::read_symlink(profile / "share"), lock.packages[0].outputs.at("out").to_string() + "/share");
  EXPECT_TRUE(one.references.contains(lock.packages[1].outputs.at("out")));
}

TEST_F(EnvironmentTest, a_file_that_two_packages_have_is_a_conflict_unless_a_priority_decides) {
  resolver_.packages["a"].emplace("1", add("a-1", {{"bin/x", "a"}}));
  resolver_.packages["b"].emplace("1", add("b-1", {{"bin/x", "b"}}));
  Environment environment = make("a.pkg-path = \"a\"\nb.pkg-path = \"b\"\n");
  try {
    build_profile(store_, environment.lock(resolver_), current_system(), "run");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("packages 'a' and 'b' both have the file bin/x"));
  }
  Lockfile lock = environment.edit(
      "version = 1\n[install]\na.pkg-path = \"a\"\nb = { pkg-path = \"b\", priority = 4 }\n", resolver_);
  nix::PathInfo profile = build_profile(store_, lock, current_system(), "run");
  EXPECT_EQ(fs::read_symlink(store_.real_path(profile.path) / "bin/x"),
            lock.packages[1].outputs.at("out").to_string() + "/bin/x");
}

TEST_F(EnvironmentTest, a_file_that_is_the_same_in_two_packages_is_no_conflict) {
  resolver_.packages["a"].emplace("1", add("a-1", {{"share/licence", "MIT"}, {"bin/a", "a"}}));
  resolver_.packages["b"].emplace("1", add("b-1", {{"share/licence", "MIT"}, {"bin/b", "b"}}));
  Lockfile lock = make("a.pkg-path = \"a\"\nb.pkg-path = \"b\"\n").lock(resolver_);
  const fs::path profile = store_.real_path(build_profile(store_, lock, current_system(), "run").path);
  EXPECT_TRUE(fs::read_symlink(profile / "share/licence").string().ends_with("-a-1/share/licence"));
  EXPECT_THROW(build_profile(store_, lock, current_system(), "run", {.compared = 2}), Error);
}

TEST_F(EnvironmentTest, all_conflicts_are_named_at_once) {
  resolver_.packages["a"].emplace("1", add("a-1", {{"bin/x", "a"}, {"bin/y", "a"}}));
  resolver_.packages["b"].emplace("1", add("b-1", {{"bin/x", "b"}, {"bin/y", "same size but other"}}));
  resolver_.packages["c"].emplace("1", add("c-1", {{"bin/y", "c"}}));
  Lockfile lock = make("a.pkg-path = 'a'\nb.pkg-path = 'b'\nc.pkg-path = 'c'\n").lock(resolver_);
  try {
    build_profile(store_, lock, current_system(), "run");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("packages 'a' and 'b' both have the file bin/x; packages 'a' and 'b' both "
                          "have the file bin/y"));
    EXPECT_THAT(error.advice(), HasSubstr("a.priority = 4"));
  }
}

TEST_F(EnvironmentTest, outputs_of_one_package_do_not_conflict) {
  nlohmann::json entry = {{"install_id", "a"},
                          {"system", current_system()},
                          {"outputs",
                           {{"out", add("a-1", {{"share/x", "out"}}).to_string()},
                            {"doc", add("a-1-doc", {{"share/x", "doc"}, {"share/y", "doc"}}).to_string()}}}};
  Lockfile lock;
  lock.manifest = nlohmann::json::object();
  lock.packages.push_back(LockedPackage::from_json(entry));
  const fs::path profile = store_.real_path(build_profile(store_, lock, current_system(), "run").path);
  EXPECT_TRUE(fs::exists(fs::symlink_status(profile / "share/x")));
  EXPECT_TRUE(fs::exists(fs::symlink_status(profile / "share/y")));
}

Variables activated(const store::LocalStore& store, const nix::StorePath& profile, const std::string& mode) {
  return activate({.name = "web",
                   .profile_link = "/env",
                   .profile = store.real_path(profile),
                   .project = "/work",
                   .cache = "/cache",
                   .mode = mode,
                   .environment = {{"PATH", "/bin"}, {"HOME", "/home/u"}}})
      .environment;
}

class ProfileLinks : public EnvironmentTest {
 protected:
  // A package with one link; others may be its references.
  nix::StorePath add_link(std::string_view name, const std::string& link, const std::string& target,
                          const nix::StorePathSet& references = {}) {
    TempDir tree;
    fs::create_directories((tree.path() / link).parent_path());
    write_file(tree.path() / ("own-" + std::string(name)), name);
    fs::create_symlink(target, tree.path() / link);
    return store_.add_tree(tree.path(), name, references).path;
  }
  // The profile of these packages, by install ids a, b, ….
  fs::path profile_of(const std::vector<nix::StorePath>& packages, const ProfileLimits& limits = {}) {
    nlohmann::json lock = {{"lockfile-version", 1}, {"packages", nlohmann::json::array()}};
    for (const auto& path : packages)
      lock["packages"].push_back(
          {{"install_id", std::string(1, static_cast<char>('a' + lock["packages"].size()))},
           {"system", current_system()},
           {"outputs", {{"out", path.to_string()}}}});
    return store_.real_path(
        build_profile(store_, Lockfile::parse(lock.dump()), current_system(), "run", limits).path);
  }
  void expect_refused(const std::vector<nix::StorePath>& packages, const std::string& text) {
    try {
      profile_of(packages);
      ADD_FAILURE() << "should have been refused: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::untrusted) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(text));
    }
  }
};

TEST_F(ProfileLinks, of_one_package_are_linked_to_and_never_followed) {
  const auto package = add_link("one", "etc/mtab", "/proc/self/mounts");
  const fs::path profile = profile_of({package});
  EXPECT_EQ(fs::read_symlink(profile / "etc"), package.to_string() + "/etc");
  EXPECT_TRUE(fs::is_directory(fs::symlink_status(profile / "activate.d")));
}

TEST_F(ProfileLinks, to_directories_of_the_closure_are_merged) {
  const auto base = add("base", {{"share/data/x", "x"}});
  const auto link = add_link("link", "share", base.to_string() + "/share", {base});
  const auto other = add("other", {{"share/data/y", "y"}});
  const fs::path profile = profile_of({link, other});
  EXPECT_EQ(fs::read_symlink(profile / "share/data/x"), link.to_string() + "/share/data/x");
  EXPECT_EQ(fs::read_symlink(profile / "share/data/y"), other.to_string() + "/share/data/y");
}

TEST_F(ProfileLinks, that_lead_to_one_file_are_no_conflict) {
  const auto base = add("base", {{"x", "x"}});
  const auto one = add_link("one", "bin/x", base.to_string() + "/x", {base});
  const auto two = add_link("two", "bin/x", "../../" + base.base_name() + "/x", {base});
  EXPECT_TRUE(fs::is_symlink(profile_of({one, two}) / "bin/x"));
}

TEST_F(ProfileLinks, that_several_packages_have_must_stay_in_their_closure) {
  const auto foreign = add("foreign", {{"share/x", "x"}});
  const auto other = add("other", {{"share/y", "y"}});
  for (const std::string& target :
       {std::string("/etc"), std::string("/nix/store"), std::string("/nix/store/../../etc"),
        std::string("../../../etc"), std::string(".."), std::string("/nix/storex/a"),
        std::string("/proc/self/root"), foreign.to_string() + "/share",
        "../" + foreign.base_name() + "/share", std::string("share")}) {
    const auto package = add_link("evil" + std::to_string(target.size()), "share", target);
    expect_refused({package, other}, "share -> " + target);
    expect_refused({other, package}, "package 'b'");
  }
}

TEST_F(ProfileLinks, that_lead_in_a_circle_of_directories_are_refused) {
  const auto one = add_link("one", "share/loop", ".");
  const auto two = add_link("two", "share/loop", "../share");
  expect_refused({one, two}, "share/loop leads in a circle");
}

TEST_F(ProfileLinks, cannot_take_the_names_that_a_profile_writes) {
  expect_refused({add_link("link", "activate.d", "/etc")}, "has activate.d");
  expect_refused({add("directory", {{"activate.d/vars.json", "{}"}})}, "has activate.d");
  expect_refused({add("file", {{"activate.d", "x"}})}, "has activate.d");
  expect_refused({add_link("lock", "manifest.lock", "share"), add("x", {{"bin/x", "x"}})},
                 "has manifest.lock");
  profile_of({add("deeper", {{"etc/conda/activate.d/x", "x"}, {"etc/manifest.lock", "x"}})});
}

TEST_F(ProfileLinks, a_profile_has_bounds) {
  const auto one = add("one", {{"share/a/b/x", "x"}});
  const auto two = add("two", {{"share/a/b/y", "y"}});
  EXPECT_THROW(profile_of({one, two}, {.depth = 2}), Error);
  EXPECT_THROW(profile_of({one, two}, {.entries = 3}), Error);
  EXPECT_THROW(profile_of({one, two}, {.name_bytes = 3}), Error);
  profile_of({one, two}, {.entries = 8, .name_bytes = 30, .depth = 3});
}

TEST_F(ProfileLinks, that_take_many_steps_are_not_all_followed) {
  std::string far;  // 2,000 steps, one way and back
  for (int i = 0; i < 1000; ++i) far += "d/../";
  std::vector<nix::StorePath> packages;
  for (const char* name : {"one", "two"}) {
    TempDir tree;
    fs::create_directories(tree.path() / "share/d");
    for (int i = 0; i < 100; ++i)
      ASSERT_EQ(::symlink((far.substr(0, 4000) + "d").c_str(),
                          (tree.path() / "share" / ("link" + std::to_string(i))).c_str()),
                0);
    write_file(tree.path() / "share/d" / name, name);
    packages.push_back(store_.add_tree(tree.path(), name, {}).path);
  }
  try {
    profile_of(packages, {.steps = 50'000});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("takes more than 50000 steps"));
  }
  profile_of(packages);
}

TEST_F(EnvironmentTest, a_nested_lock_becomes_a_profile_of_its_own_size) {
  std::string nested;
  for (int i = 0; i < 2000; ++i) nested += ",[[[[[[[[[[0]]]]]]]]]]";
  const Lockfile lock = Lockfile::parse(R"({"lockfile-version":1,"manifest":{"x":[0)" + nested + "]}}");
  const nix::PathInfo profile = build_profile(store_, lock, current_system(), "run");
  EXPECT_LT(fs::file_size(store_.real_path(profile.path) / "manifest.lock"), nested.size() + 200);
}

TEST_F(EnvironmentTest, variables_that_double_with_each_name_are_refused) {
  nlohmann::json vars = {{"V0", std::string(100, 'x')}};
  for (int i = 1; i < 60; ++i) vars["V" + std::to_string(i)] = fmt::format("$V{0}$V{0}", i - 1);
  Lockfile lock;
  lock.manifest = {{"vars", vars}};
  const nix::StorePath profile = build_profile(store_, lock, current_system(), "dev").path;
  EXPECT_THROW(activated(store_, profile, "dev"), Error);
}

TEST_F(EnvironmentTest, a_long_chain_of_variables_takes_no_stack) {
  nlohmann::json vars = {{"V0", "end"}};
  for (int i = 1; i < 50'000; ++i) vars["V" + std::to_string(i)] = "$V" + std::to_string(i - 1);
  Lockfile lock;
  lock.manifest = {{"vars", vars}};
  const nix::StorePath profile = build_profile(store_, lock, current_system(), "dev").path;
  EXPECT_EQ(activated(store_, profile, "dev").at("V49999"), "end");
}

TEST_F(EnvironmentTest, sbin_is_in_the_path_only_if_that_is_wanted_and_behind_bin) {
  Lockfile lock;
  lock.manifest = nlohmann::json::object();
  const nix::StorePath profile = build_profile(store_, lock, current_system(), "run").path;
  ActivationRequest request{.name = "web",
                            .profile_link = "/env",
                            .profile = store_.real_path(profile),
                            .project = {},
                            .cache = "/cache",
                            .mode = "run",
                            .environment = {{"PATH", "/bin"}}};
  EXPECT_EQ(activate(request).environment.at("PATH"), "/env/bin:/bin");
  request.add_sbin = true;
  EXPECT_EQ(activate(request).environment.at("PATH"), "/env/bin:/env/sbin:/bin");
}

TEST_F(EnvironmentTest, what_the_caller_says_is_active_may_be_anything) {
  Lockfile lock;
  lock.manifest = nlohmann::json::object();
  const nix::StorePath profile = build_profile(store_, lock, current_system(), "dev").path;
  for (const std::string& before :
       {std::string(200'000, '['), std::string("{"), std::string("\xff"), std::string("7")}) {
    const Activation activation = activate({.name = "w\xff",
                                            .profile_link = "/env",
                                            .profile = store_.real_path(profile),
                                            .project = "/work\xff",
                                            .cache = "/cache",
                                            .environment = {{"_FLOX_ACTIVE_ENVIRONMENTS", before}}});
    EXPECT_EQ(nlohmann::json::parse(activation.environment.at("_FLOX_ACTIVE_ENVIRONMENTS")).size(), 1u);
  }
}

TEST_F(EnvironmentTest, activation_does_not_look_at_the_host_through_a_packages_link) {
  TempDir host;
  fs::create_directory(host.path() / "python3.99");
  write_file(host.path() / "python3", "");
  TempDir tree;
  fs::create_symlink(host.path(), tree.path() / "bin");
  fs::create_symlink(host.path(), tree.path() / "lib");
  const auto package = store_.add_tree(tree.path(), "spy", {}).path;
  Lockfile lock;
  lock.manifest = nlohmann::json::object();
  lock.packages.push_back(LockedPackage::from_json(
      {{"install_id", "spy"}, {"system", current_system()}, {"store_path", package.to_string()}}));
  const nix::StorePath profile = build_profile(store_, lock, current_system(), "dev").path;
  EXPECT_FALSE(activated(store_, profile, "dev").contains("PYTHONPATH"));
  EXPECT_FALSE(profile_has(store_.real_path(profile), "bin/python3"));
  EXPECT_FALSE(profile_has(store_.real_path(profile), "bin/.."));
  EXPECT_TRUE(profile_has(store_.real_path(profile), "bin"));
}

TEST(Manifest, names_known_shells_in_its_profile_only) {
  for (const std::string& shell :
       {std::string("../../x"), std::string("bash/x"), std::string(5000, 'a'), std::string("")}) {
    EXPECT_THROW(Manifest::from_json({{"profile", {{shell, "x"}}}}), Error) << shell;
    EXPECT_THROW(Manifest::parse("version = 1\n[profile]\n\"" + shell + "\" = \"x\"\n", "m"), Error) << shell;
  }
  try {
    Manifest::parse("version = 1\n[profile]\nksh = \"x\"\n", "manifest.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("manifest.toml:3:7: unknown shell 'ksh' in [profile]"));
  }
  EXPECT_EQ(Manifest::from_json({{"profile", {{"zsh", "x"}, {"common", "y"}}}}).profile.size(), 2u);
  EXPECT_EQ(Manifest::parse("version = 1\n[profile]\nzsh = 'x'\n[profile.deactivate]\nbash = 'x'\n", "m")
                .profile.size(),
            1u);
  EXPECT_THROW(Manifest::parse("version = 1\n[profile]\n[profile.deactivate]\n'../x' = 'x'\n", "m"), Error);
  EXPECT_THROW(Manifest::from_json({{"profile", {{"deactivate", "x"}}}}), Error);
}

TEST_F(EnvironmentTest, activation_sets_paths_and_the_manifests_variables_in_order_of_need) {
  resolver_.packages["a"].emplace("1", add("a-1", {{"bin/a", "a"}}));
  Environment environment = Environment::init(dir_.path() / "v", "v");
  Lockfile lock = environment.edit(
      "version = 1\n[install]\na.pkg-path = \"a\"\n[vars]\nA = \"${B}/x\"\nB = \"$HOME/y\"\nC = '\\$5'\n",
      resolver_);
  nix::StorePath profile = build_profile(store_, lock, current_system(), "dev").path;
  Variables dev = activated(store_, profile, "dev");
  EXPECT_EQ(dev.at("PATH"), "/env/bin:/bin");
  EXPECT_EQ(dev.at("A"), "/home/u/y/x");
  EXPECT_EQ(dev.at("C"), "$5");
  EXPECT_EQ(dev.at("CPATH"), "/env/include");
  EXPECT_EQ(nlohmann::json::parse(dev.at("_FLOX_ACTIVE_ENVIRONMENTS"))[0]["pointer"]["name"], "web");
  EXPECT_FALSE(activated(store_, profile, "run").contains("CPATH"));
}

TEST_F(EnvironmentTest, variables_that_refer_to_each_other_in_a_circle_are_refused_also_if_they_are_locked) {
  Environment environment = Environment::init(dir_.path() / "c", "c");
  EXPECT_THROW(environment.edit("version = 1\n[vars]\nA = \"$B\"\nB = \"$A\"\n", resolver_), Error);
  Lockfile lock = environment.edit("version = 1\n[vars]\nA = \"a\"\n", resolver_);
  lock.manifest["vars"] = {{"A", "$B"}, {"B", "$A"}};  // as others lock it
  nix::StorePath profile = build_profile(store_, lock, current_system(), "dev").path;
  EXPECT_THROW(activated(store_, profile, "dev"), Error);
}

TEST(Lockfile, of_flox_is_read_and_written_back_unchanged) {
  std::string text =
      R"({"lockfile-version": 1, "manifest": {"schema-version": "1.10.0", "future": true}, "packages": [
    {"attr_path": "jq", "install_id": "jqx", "name": "jq-1.7", "version": "1.7", "outputs_to_install": ["bin"], "system": "x86_64-linux",
     "outputs": {"bin": "/nix/store/00000000000000000000000000000000-jq-1.7-bin", "man": "/nix/store/11111111111111111111111111111111-jq-1.7-man"},
     "group": "toplevel", "priority": 5, "unknown": 7},
    {"install_id": "p", "store_path": "/nix/store/22222222222222222222222222222222-p", "system": "aarch64-linux", "priority": 5}]})";
  Lockfile lock = Lockfile::parse(text);
  EXPECT_EQ(lock.for_system("x86_64-linux").at(0).store_paths().size(), 1u);
  EXPECT_EQ(lock.for_system("aarch64-linux").at(0).store_paths().size(), 1u);
  EXPECT_EQ(nlohmann::json::parse(lock.to_string()), nlohmann::json::parse(text));
}

TEST(Lockfile, that_is_damaged_is_refused) {
  for (const char* text :
       {"", "[]", "{\"lockfile-version\": 2}", R"({"lockfile-version":1,"packages":[{"install_id":"x"}]})",
        R"({"lockfile-version":1,"packages":[{"install_id":"x","outputs":{"out":"/etc/passwd"}}]})",
        R"({"lockfile-version":1,"packages":[{"install_id":"x","outputs":{"out":5}}]})",
        R"({"lockfile-version":1,"packages":[{"install_id":"x","outputs_to_install":[5],"outputs":{}}]})",
        R"({"lockfile-version":1,"packages":[{"install_id":"x","priority":1e99,"outputs":{"out":null}}]})",
        R"({"lockfile-version":1,"packages":[{"install_id":"x","priority":99999999999,"outputs":{}}]})",
        R"({"lockfile-version":1,"packages":[{"install_id":"x\u0000","outputs":{}}]})",
        R"({"lockfile-version":1,"packages":[{"install_id":"x\n","outputs":{}}]})",
        R"({"lockfile-version":1,"packages":{"a":5}})", R"({"lockfile-version":1,"packages":[5]})",
        R"({"lockfile-version":"1"})", R"({"lockfile-version":1,"manifest":[]})",
        R"({"lockfile-version":1,"manifest":{"a":1,"a":2}})"})
    EXPECT_THROW(Lockfile::parse(text), Error) << text;
  try {
    Lockfile::parse(std::string(1'000'000, '['));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the lockfile:1:"));
  }
}

}  // namespace
}  // namespace flox::env
