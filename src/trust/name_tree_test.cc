#include "trust/name_tree.h"

#include <gtest/gtest.h>

#include "testing/error_of.h"

namespace flox::trust {
namespace {

std::string refusal_of(const std::string& text) {
  return error_of([&] { NameTree::parse(text, "names"); });
}

TEST(NameTree, IsReadAsItWasWritten) {
  const Leaf leaf{.name = "packages/hello", .version = 3, .sha256 = std::string(64, 'a')};
  Sha256Digest hidden{};
  hidden[0] = 7;
  const NameTree tree{.owner = "acme", .timestamp = "{}", .entries = {leaf, hidden}};
  const NameTree again = NameTree::parse(tree.to_string(), "names");
  EXPECT_EQ(again.entries, tree.entries);
  EXPECT_EQ(again.owner, "acme");
  EXPECT_EQ(again.timestamp, "{}");
  EXPECT_EQ(again.to_string(), tree.to_string());
}

TEST(NameTree, IsReadStrictly) {
  EXPECT_EQ(refusal_of(R"({"leaves":[1],"owner":"acme","timestamp":""})"),
            "names: leaves: an entry is neither a leaf nor a hash");
  EXPECT_EQ(refusal_of(R"({"leaves":["0A"],"owner":"acme","timestamp":""})"),
            "names: a hash is not 64 lower-case hexadecimal digits");
  EXPECT_EQ(refusal_of(R"({"leaves":[],"owner":"acme","timestamp":"","more":1})"),
            "names: member 'more' is not known");
  EXPECT_NE(refusal_of(R"({"leaves":[],"owner":"../acme","timestamp":""})"), "no error");
}

}  // namespace
}  // namespace flox::trust
