#include "trust/merkle.h"

#include <gtest/gtest.h>

#include "base/data/bytes.h"
#include "testing/error_of.h"
#include "testing/repeated.h"

namespace flox::trust {
namespace {

Leaf leaf(size_t number, uint64_t version = 1) {
  return {.name = fmt::format("packages/p{:04}", number), .version = version, .sha256 = repeated("ab", 32)};
}

MerkleTree tree_of(size_t leaves) {
  MerkleTree tree;
  for (size_t i = 0; i < leaves; ++i) tree.put(leaf(i));
  return tree;
}

// RFC 9162, section 2.1.1, as it is written there.
std::string definition(const std::vector<std::string>& leaves, size_t from, size_t to) {
  if (to - from == 1) return std::string(bytes_of(sha256(std::string("\0", 1) + leaves[from])));
  size_t k = 1;
  while (2 * k < to - from) k *= 2;
  return std::string(
      bytes_of(sha256("\1" + definition(leaves, from, from + k) + definition(leaves, from + k, to))));
}

TEST(MerkleTree, HasTheRootThatTheRfcDefines) {
  std::vector<std::string> texts;
  MerkleTree tree;
  EXPECT_EQ(tree.root(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  for (size_t size = 1; size <= 40; ++size) {
    tree.put(leaf(size));
    texts.push_back(
        fmt::format(R"({{"name":"packages/p{:04}","sha256":"{}","version":1}})", size, repeated("ab", 32)));
    EXPECT_EQ(tree.root(), to_hex(definition(texts, 0, size))) << size;
  }
}

TEST(MerkleTree, ProvesEachOfItsLeaves) {
  for (size_t size : {1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33}) {
    MerkleTree tree = tree_of(size);
    for (size_t i = 0; i < size; ++i) {
      const Proof proof = Proof::parse(tree.proof(leaf(i).name).to_string(), "proof");
      EXPECT_EQ(proof.leaf, leaf(i));
      EXPECT_NO_THROW(proof.verify(tree.root(), size)) << i << " of " << size;
    }
  }
}

TEST(MerkleTree, ProvesNothingElse) {
  MerkleTree tree = tree_of(7);
  const std::string root = tree.root();
  const Proof good = tree.proof(leaf(3).name);
  const auto refused = [&](const Proof& proof, uint64_t leaves = 7) {
    return error_of([&] { proof.verify(root, leaves); }, ErrorKind::untrusted);
  };
  for (uint64_t index : {0, 2, 4, 6, 7, 100}) {
    Proof moved = good;
    moved.index = index;
    EXPECT_NE(refused(moved), "no error") << index;
  }
  Proof other = good;
  other.leaf.version = 2;
  EXPECT_EQ(refused(other),
            "the proof that packages/p0003 version 2 is among the names of the timestamp does not hold");
  other = good;
  other.hashes.pop_back();
  EXPECT_NE(refused(other), "no error");
  other = good;
  other.hashes.push_back(good.hashes.front());
  EXPECT_NE(refused(other), "no error");
  EXPECT_NE(refused(good, 0), "no error");
  EXPECT_NE(refused(good, 3), "no error");
  EXPECT_NE(refused(good, 16), "no error");
}

TEST(MerkleTree, IsTheSameHoweverItsLeavesCame) {
  MerkleTree tree = tree_of(20);
  tree.root();
  tree.put(leaf(13, 5));  // updated in place
  tree.put(leaf(19, 2));
  MerkleTree other;
  for (size_t i = 20; i-- > 0;) other.put(i == 13 ? leaf(13, 5) : i == 19 ? leaf(19, 2) : leaf(i));
  EXPECT_EQ(tree.root(), other.root());
  EXPECT_NO_THROW(tree.proof(leaf(13).name).verify(other.root(), 20));
  tree.remove(leaf(7).name);
  tree.remove("packages/none");
  EXPECT_EQ(tree.size(), 19);
  EXPECT_NE(tree.root(), other.root());
  EXPECT_EQ(error_of([&] { tree.proof(leaf(7).name); }, ErrorKind::not_found), "there is no packages/p0007");
}

TEST(MerkleTree, IsTheSameOfItsEntriesWithSomeNamesHidden) {
  for (const size_t size : {0, 1, 2, 7, 20}) {
    MerkleTree tree = tree_of(size);
    const auto is_shown = [](const std::string& name) { return name.back() % 2 == 0; };
    MerkleTree other(tree.entries(is_shown));
    EXPECT_EQ(other.root(), tree.root());
    EXPECT_EQ(other.size(), size);
    for (size_t i = 0; i < size; ++i) {
      const std::string name = leaf(i).name;
      ASSERT_EQ(other.leaves().contains(name), is_shown(name));
      if (!is_shown(name)) continue;
      EXPECT_EQ(other.proof(name).to_string(), tree.proof(name).to_string());
      other.proof(name).verify(tree.root(), size);
    }
  }
}

TEST(MerkleTree, OfEntriesIsInOrderAndStaysAsItIs) {
  EXPECT_EQ(error_of([&] { MerkleTree({leaf(2), leaf(1)}); }), "packages/p0001 is not in the order of names");
  EXPECT_EQ(error_of([&] { MerkleTree({leaf(1), leaf(1)}); }), "packages/p0001 is not in the order of names");
  MerkleTree tree({leaf(1)});
  EXPECT_EQ(error_of([&] { tree.put(leaf(2)); }, ErrorKind::internal),
            "a whole tree of names stays as it is");
}

TEST(Proof, IsReadStrictly) {
  MerkleTree tree = tree_of(2);
  const std::string text = tree.proof(leaf(0).name).to_string();
  const auto replaced = [&](std::string_view what, std::string_view by) {
    std::string changed = text;
    changed.replace(changed.find(what), what.size(), by);
    return error_of([&] { Proof::parse(changed, "proof"); });
  };
  EXPECT_EQ(replaced(R"("index":0)", R"("index":-1)"),
            "proof: member 'index' is not a whole number from 0 to 9007199254740992");
  EXPECT_EQ(replaced(R"("index":0)", R"("index":0,"more":1)"), "proof: member 'more' is not known");
  EXPECT_EQ(replaced("packages/p0000", "packages/../x"),
            "proof: leaf: 'packages/../x' is neither packages/NAME nor environments/NAME");
  EXPECT_EQ(replaced("[\"", "[\"F"), "proof: a hash is not 64 lower-case hexadecimal digits");
}

}  // namespace
}  // namespace flox::trust
