#include "trust/key_changes.h"

#include <gtest/gtest.h>

#include "testing/error_of.h"
#include "trust/testing/owner.h"

namespace flox::trust {
namespace {

using testing::add_role;
using testing::key;
using testing::TestOwner;

Key public_key(const std::string& name) { return Key::of(key(name).public_key()); }

TEST(KeyChanges, FindAKeyByItsNameOrTheBeginningOfItsId) {
  Keys keys;
  const Role role = add_role(keys, {key("a-1"), key("b-1"), key("b-1")});
  EXPECT_EQ(find_key(keys, "a-1"), role.keyids[0]);
  EXPECT_EQ(find_key(keys, role.keyids[1].substr(0, 12)), role.keyids[1]);
  EXPECT_EQ(error_of([&] { find_key(keys, "b-1"); }, ErrorKind::conflict), "'b-1' may be any of 2 keys");
  EXPECT_EQ(error_of([&] { find_key(keys, role.keyids[0].substr(0, 7)); }, ErrorKind::not_found),
            fmt::format("there is no key '{}'", role.keyids[0].substr(0, 7)));
}

TEST(KeyChanges, DelegateToANewRoleOrAddToOne) {
  TestOwner owner;
  const Key web = public_key("web-1"), other = public_key("web-2");
  add_key(owner.targets, {.role = "web", .key = web, .paths = {"web-*", "environments/site"}});
  const DelegatedRole& role = owner.targets.roles.back();
  EXPECT_EQ(role.paths,
            (std::vector<std::string>{"packages/web-*", "environments/web-*", "environments/site"}));
  EXPECT_EQ(role.keyids, std::vector<std::string>{web.id()});
  add_key(owner.targets, {.role = "web", .key = other, .threshold = 2});
  EXPECT_EQ(owner.targets.roles.back().threshold, 2);
  EXPECT_EQ(error_of([&] { add_key(owner.targets, {.role = "web", .key = other}); }, ErrorKind::conflict),
            fmt::format("role web has the key {} already", describe_key(other.id(), owner.targets.keys)));
  EXPECT_EQ(error_of([&] { add_key(owner.targets, {.role = "web", .key = other, .threshold = 3}); }),
            "role web needs 3 signatures, and would have 2 keys");
  EXPECT_EQ(error_of([&] { add_key(owner.targets, {.role = "wbe", .key = other}); }, ErrorKind::not_found),
            "acme has delegated nothing to a role 'wbe'");
  EXPECT_EQ(error_of([&] { add_key(owner.targets, {.role = "targets", .key = other, .paths = {"*"}}); }),
            "'targets' is a role of the root, which delegates nothing");
  EXPECT_NE(error_of([&] { add_key(owner.targets, {.role = "x", .key = other, .paths = {"a/b/c"}}); }),
            "no error");
}

TEST(KeyChanges, PutATerminatingRoleInFront) {
  TestOwner owner;
  add_key(owner.targets, {.role = "base", .key = public_key("b-1"), .paths = {"glibc"}, .terminating = true});
  EXPECT_EQ(owner.targets.roles.front().name, "base");
  EXPECT_TRUE(owner.targets.roles.front().terminating);
}

TEST(KeyChanges, ReplaceOneKeyOfARole) {
  TestOwner owner;
  const std::string old_root = owner.root.root.keyids[0], old_online = owner.root.timestamp.keyids[0];
  const Key next = public_key("root-2"), online = public_key("catalog-2");
  replace_key(owner.root, "root", old_root, next);
  EXPECT_EQ(owner.root.root.keyids, std::vector<std::string>{next.id()});
  EXPECT_FALSE(owner.root.keys.contains(old_root)) << "no role names it any more";
  replace_key(owner.root, "timestamp", old_online, online);
  EXPECT_EQ(owner.root.snapshot, owner.root.timestamp);
  EXPECT_FALSE(owner.root.keys.contains(old_online));
  EXPECT_NE(error_of([&] { replace_key(owner.root, "root", old_root, next); }, ErrorKind::not_found),
            "no error");
  EXPECT_NE(error_of([&] { replace_key(owner.root, "root", next.id(), next); }, ErrorKind::conflict),
            "no error");
  EXPECT_EQ(error_of([&] { replace_key(owner.root, "web", old_root, next); }, ErrorKind::not_found),
            "'web' is not a role of the root");
  const Key bob = public_key("bob-1");
  replace_key(owner.targets, "publishers", owner.targets.roles[0].keyids[0], bob);
  EXPECT_EQ(owner.targets.keys.size(), 1);
  EXPECT_TRUE(owner.targets.keys.contains(bob.id()));
}

TEST(KeyChanges, RevokeAKeyEverywhere) {
  TestOwner owner;
  const nix::SecretKey bob = key("bob-1");
  const std::string id = Key::of(bob.public_key()).id();
  owner.delegate("web", {"packages/web-*"}, {bob});
  owner.targets.roles[0].keyids.push_back(id);
  EXPECT_EQ(revoke_key(owner.targets, id), (std::vector<std::string>{"publishers", "web"}));
  EXPECT_EQ(owner.targets.roles.size(), 1) << "nobody is left in the role web";
  EXPECT_FALSE(owner.targets.keys.contains(id));
  EXPECT_TRUE(revoke_key(owner.targets, id).empty());
}

TEST(KeyChanges, RefuseToRevokeWhatLeavesARoleUnfulfilled) {
  TestOwner owner;
  const auto error = [&](const std::string& id) { return error_of([&] { revoke_key(owner.root, id); }); };
  EXPECT_EQ(error(owner.root.root.keyids[0]), "it is the only key of role root");
  EXPECT_EQ(error(owner.root.timestamp.keyids[0]),
            "it is the catalog's online key, and no timestamp would count without one");
  owner.root.root = add_role(owner.root.keys, {key("r-1"), key("r-2")}, 2);
  EXPECT_EQ(error(owner.root.root.keyids[0]), "role root needs 2 signatures, and would have 1 keys");
}

}  // namespace
}  // namespace flox::trust
