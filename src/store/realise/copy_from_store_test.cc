#include "store/realise/copy_from_store.h"

#include <gmock/gmock.h>

#include "store/testing/published_store.h"

namespace flox::store {
namespace {

class CopyFromStoreTest : public CareTest {
 protected:
  LocalStore other_{temp_.path() / "other"};
};

TEST_F(CopyFromStoreTest, AClosureIsTheSameThere) {
  const StorePath library = add("library", "words");
  const StorePath program = add("program", library.to_string(), {library});
  store_.add_signatures(program, {"somebody-1:AAAA"});
  EXPECT_EQ(copy_from_store(store_, other_, {program}), 2u);
  EXPECT_EQ(other_.query(program)->references, StorePathSet{library});
  EXPECT_EQ(other_.query(program)->nar_hash, store_.query(program)->nar_hash);
  EXPECT_THAT(other_.query(program)->signatures, testing::ElementsAre("somebody-1:AAAA"));
  EXPECT_EQ(read_file(other_.real_path(library) / "share/text"), "words");
  EXPECT_EQ(copy_from_store(store_, other_, {program}), 0u);
}

TEST_F(CopyFromStoreTest, OfADamagedPathNothingIsCopied) {
  const StorePath library = add("library", "words");
  const StorePath program = add("program", library.to_string(), {library});
  damage(file(program), "something else");
  try {
    copy_from_store(store_, other_, {program});
    FAIL() << "it was copied";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::untrusted);
  }
  EXPECT_TRUE(other_.valid_paths().empty());
}

TEST_F(CopyFromStoreTest, WhatTheOtherStoreDoesNotHaveIsAnError) {
  const auto unknown = StorePath::from_base_name("0123456789abcdfghijklmnpqrsvwxyz-unknown");
  EXPECT_THROW(copy_from_store(store_, other_, {unknown}), Error);
}

}  // namespace
}  // namespace flox::store
