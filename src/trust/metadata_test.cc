#include "trust/metadata.h"

#include <gtest/gtest.h>

#include "testing/error_of.h"
#include "testing/repeated.h"
#include "trust/canonical_json.h"
#include "trust/testing/owner.h"

namespace flox::trust {
namespace {

using testing::hello;
using testing::key;
using testing::signed_by;
using testing::TestOwner;

// The text with one piece of it replaced.
std::string with(std::string text, std::string_view what, std::string_view by) {
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}
std::string root_error(const std::string& text) {
  return error_of([&] { Signed<Root>::parse(text, "root.json"); });
}

template <typename T>
void expect_same_again(const T& content, const nix::SecretKey& by) {
  const std::string text = signed_by(content, {by});
  const auto read = Signed<T>::parse(text, "file");
  EXPECT_EQ(read.to_string(), text);
  EXPECT_EQ(canonical_json(read.content.to_json()), read.message);
  EXPECT_EQ(read.signatures.size(), 1);
}

TEST(Metadata, IsReadAsItIsWritten) {
  TestOwner owner;
  owner.delegate("web", {"packages/web-*"}, {key("w-1"), key("w-2")}, 2).terminating = true;
  expect_same_again(owner.root, owner.root_key);
  expect_same_again(owner.targets, owner.targets_key);
  NameFile file;
  owner.head(file);
  file.name = "packages/hello";
  file.targets = {{"2.12/x86_64-linux/any", hello().to_target()}};
  file.targets.begin()->second.yanked = "it \"breaks\" \n";
  expect_same_again(file, owner.signing_key);
  owner.publish(file.name, file.targets);
  owner.evidence(file.name);
  expect_same_again(owner.timestamp, owner.online_key);
}

TEST(Metadata, KeepsTheVersionOfTheSpecificationThatWasWritten) {
  TestOwner owner;
  owner.root.spec_version = "1.0.28";
  expect_same_again(owner.root, owner.root_key);
  EXPECT_EQ(root_error(with(owner.root_text(), "1.0.28", "2.0.0")),
            "root.json: signed: version '2.0.0' of The Update Framework is not known, 1.0 is");
}

TEST(Metadata, RefusesWhatItDoesNotActOn) {
  const std::string text = TestOwner().root_text();
  EXPECT_EQ(root_error(with(text, R"("owner")", R"("more":1,"owner")")),
            "root.json: signed: member 'more' is not known");
  EXPECT_EQ(root_error(with(text, R"("signatures")", R"("more":1,"signatures")")),
            "root.json: member 'more' is not known");
  EXPECT_EQ(
      root_error(with(text, R"("keytype")", R"("url":"","keytype")")).find("member 'url' is not known") !=
          std::string::npos,
      true);
  EXPECT_EQ(root_error(with(text, R"("targets":{"keyids")", R"("mirrors":{},"targets":{"keyids")")),
            "root.json: signed: roles: member 'mirrors' is not known");
}

TEST(Metadata, RefusesAKeyWhoseIdIsNotItsHash) {
  TestOwner owner;
  const std::string id = Key::of(owner.root_key.public_key()).id();
  std::string text = owner.root_text();
  for (size_t at = text.find(id); at != std::string::npos; at = text.find(id, at))
    text.replace(at, id.size(), repeated("0", 64));
  EXPECT_EQ(root_error(text),
            "root.json: signed: key " + repeated("0", 64) + ": its id is not its hash, which is " + id);
}

TEST(Metadata, RefusesRolesThatNobodyCanFulfil) {
  const auto broken = [](auto&& change) {
    TestOwner owner;
    change(owner.root);
    return root_error(owner.root_text());
  };
  EXPECT_EQ(broken([](Root& root) { root.root.threshold = 0; }),
            "root.json: signed: role root: member 'threshold' is not a whole number from 1 to 1");
  EXPECT_EQ(broken([](Root& root) { root.root.threshold = 2; }),
            "root.json: signed: role root: member 'threshold' is not a whole number from 1 to 1");
  EXPECT_EQ(broken([](Root& root) { root.targets.keyids = {}; }),
            "root.json: signed: role targets: it has no keys");
  EXPECT_EQ(broken([](Root& root) { root.targets.keyids.push_back(root.targets.keyids[0]); }),
            "root.json: signed: role targets: it names one key twice");
  EXPECT_EQ(broken([](Root& root) { root.timestamp.keyids = {repeated("0", 64)}; }),
            "root.json: signed: role timestamp: there is no key " + repeated("0", 64));
}

TEST(Metadata, RefusesTwoSignaturesOfOneKey) {
  TestOwner owner;
  auto file = Signed<Root>::parse(owner.root_text(), "root.json");
  file.signatures.push_back(file.signatures[0]);
  EXPECT_EQ(root_error(file.to_string()),
            "root.json: signatures: there are two signatures of key " + file.signatures[0].keyid);
}

TEST(Metadata, RefusesOtherTypesAndNumbers) {
  TestOwner owner;
  const std::string text = owner.root_text();
  EXPECT_EQ(root_error(signed_by(owner.targets, {owner.targets_key})),
            "root.json: signed: member '_type' is 'targets' instead of 'root'");
  for (const char* version : {"0", "-1", "1.0", "\"1\"", "9007199254740993", "null"})
    EXPECT_NE(root_error(with(text, "\"version\":1", fmt::format("\"version\":{}", version))), "no error")
        << version;
  EXPECT_EQ(root_error(with(text, "\"consistent_snapshot\":true", "\"consistent_snapshot\":false")),
            "root.json: signed: member 'consistent_snapshot' is not true");
  EXPECT_EQ(root_error("[]"), "root.json: it is not a JSON object");
  EXPECT_EQ(root_error("{\"signatures\":[]}"), "root.json: member 'signed' is missing");
  EXPECT_NE(root_error(repeated(" ", root_limits.bytes + 1)), "no error");
}

TEST(Metadata, HoldsDelegationsOfOneLevelOnly) {
  TestOwner owner;
  const std::string text = signed_by(owner.targets, {owner.targets_key});
  const auto error = [](const std::string& changed) {
    return error_of([&] { Signed<Targets>::parse(changed, "targets.json"); });
  };
  EXPECT_EQ(error(with(text, "\"targets\":{}", "\"targets\":{\"a\":{\"length\":0}}")),
            "targets.json: signed: targets.json holds delegations only, and this one has targets");
  EXPECT_EQ(error(with(text, "packages/*", "packages/[ab]")),
            "targets.json: signed: delegations: role publishers: 'packages/[ab]' is not a pattern of names");
  EXPECT_EQ(error(with(text, "\"publishers\"", "\"root\"")),
            "targets.json: signed: delegations: 'root' names a role of the root");
  EXPECT_EQ(error(with(text, "\"publishers\"", "\"../x\"")),
            "targets.json: signed: delegations: the role's name '../x' cannot be used");
  owner.targets.roles.push_back(owner.targets.roles[0]);
  EXPECT_EQ(error(signed_by(owner.targets, {owner.targets_key})),
            "targets.json: signed: there are two roles 'publishers'");
}

TEST(Metadata, KnowsWhatAFileIs) {
  TestOwner owner;
  owner.publish("packages/hello", {{"2.12/x86_64-linux/any", hello().to_target()}});
  const Evidence evidence = owner.evidence("packages/hello");
  EXPECT_EQ(kind_of_metadata(owner.root_text(), "f"), MetadataKind::root);
  EXPECT_EQ(kind_of_metadata(evidence.targets, "f"), MetadataKind::targets);
  EXPECT_EQ(kind_of_metadata(evidence.timestamp, "f"), MetadataKind::timestamp);
  EXPECT_EQ(kind_of_metadata(evidence.name_file, "f"), MetadataKind::name_file);
  EXPECT_EQ(error_of([] { kind_of_metadata(R"({"signed":{"_type":"mirrors"}})", "f"); }),
            "f: metadata of the type 'mirrors' is not known");
}

TEST(Metadata, IsValidBeforeItExpiresAndNotAtThatTime) {
  TestOwner owner;
  const Time expires = owner.root.expires;
  EXPECT_NO_THROW(require_current(owner.root, expires - std::chrono::seconds(1), "root.json"));
  EXPECT_EQ(error_of([&] { require_current(owner.root, expires, "root.json"); }, ErrorKind::untrusted),
            "root.json of acme: version 1 expired at 2028-01-31T12:00:00Z, and it is 2028-01-31T12:00:00Z");
}

}  // namespace
}  // namespace flox::trust
