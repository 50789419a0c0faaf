#include "node/shared/messages.h"

#include <gtest/gtest.h>

#include "base/os/file.h"
#include "store/local/local_store.h"

namespace flox::node {
namespace {

class Messages : public testing::Test {
 protected:
  nix::StorePath add(const std::string& name, const nix::StorePathSet& references) {
    std::string text = name;
    for (const auto& reference : references) text += "\n" + reference.to_string();
    write_file(temp_.path() / name, text);
    return store_.add_tree(temp_.path() / name, name, references).path;
  }
  shared::v1::Closure message_of(const nix::StorePath& root) const {
    std::vector<nix::PathInfo> paths;
    for (const auto& path : store_.closure({root})) paths.push_back(*store_.query(path));
    return closure_message(root, paths);
  }
  TempDir temp_;
  store::LocalStore store_{temp_.path() / "root"};
};

TEST_F(Messages, a_closure_arrives_as_it_was_sent) {
  const auto library = add("library", {});
  const auto program = add("program", {library});
  const auto rows = rows_of(message_of(program));
  ASSERT_EQ(rows.size(), 2U);
  for (const nix::PathInfo& row : rows) {
    const auto sent = store_.query(row.path);
    ASSERT_TRUE(sent);
    EXPECT_EQ(row.fingerprint(), sent->fingerprint());
    EXPECT_EQ(row.content_address.has_value(), sent->content_address.has_value());
  }
  store::LocalStore other(temp_.path() / "other");
  other.register_valid(rows);
  EXPECT_EQ(other.closure({program}), store_.closure({program}));
}

TEST_F(Messages, a_closure_with_a_gap_or_without_its_root_is_refused) {
  const auto library = add("library", {});
  const auto program = add("program", {library});
  auto message = message_of(program);
  for (int i = 0; i < message.paths_size(); ++i)
    if (message.paths(i).path() == library.to_string()) message.mutable_paths()->DeleteSubrange(i--, 1);
  EXPECT_THROW(rows_of(message), Error);
  message = message_of(library);
  message.set_root(program.to_string());
  EXPECT_THROW(rows_of(message), Error);
  message = message_of(library);
  message.mutable_paths(0)->set_nar_hash("short");
  EXPECT_THROW(rows_of(message), Error);
  message.mutable_paths(0)->set_path("/etc/passwd");
  EXPECT_THROW(rows_of(message), Error);
}

TEST_F(Messages, an_error_keeps_its_kind_and_advice) {
  const Error sent(ErrorKind::untrusted, "nobody has signed it", "Trust the owner.");
  const Error come = failure_of(failure_message(sent));
  EXPECT_EQ(come.kind(), sent.kind());
  EXPECT_STREQ(come.what(), sent.what());
  EXPECT_EQ(come.advice(), sent.advice());
  shared::v1::Failure odd;
  odd.set_kind(77);
  odd.set_message("\x1b[2J");
  EXPECT_EQ(failure_of(odd).kind(), ErrorKind::internal);
  EXPECT_EQ(std::string(failure_of(odd).what()).find('\x1b'), std::string::npos);
}

TEST(NodeName, is_one_that_a_lease_can_have) {
  EXPECT_TRUE(is_node_name("node-1.example"));
  for (const char* name : {"", ".hidden", "a/b", "a_b", "a b"}) EXPECT_FALSE(is_node_name(name)) << name;
  EXPECT_FALSE(is_node_name(std::string(64, 'a')));
}

}  // namespace
}  // namespace flox::node
