#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/file.h"
#include "base/os/process.h"

namespace flox {
namespace {

using testing::HasSubstr;

TEST(Error, chain_reads_from_what_was_attempted_to_what_went_wrong) {
  try {
    in_context("installing web",
               [] { in_context("fetching x", [] { fail(ErrorKind::untrusted, "bad hash {}", 1); }); });
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "installing web: fetching x: bad hash 1");
    EXPECT_EQ(error.kind(), ErrorKind::untrusted);
  }
}

TEST(Error, the_innermost_advice_is_kept) {
  Error error =
      Error(ErrorKind::not_found, "x", "look there").with_context("a").with_advice("somewhere else");
  EXPECT_EQ(error.advice(), "look there");
}

TEST(Error, a_missing_file_is_not_found) {
  try {
    read_file("/nonexistent/file");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.what(), HasSubstr("/nonexistent/file"));
  }
}

TEST(File, a_written_file_is_read_back_and_leaves_no_temporary) {
  TempDir dir;
  write_file(dir.path() / "a", "one");
  write_file(dir.path() / "a", "two");
  EXPECT_EQ(read_file(dir.path() / "a"), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), {}), 1);
}

TEST(File, is_read_up_to_a_limit) {
  TempDir dir;
  const fs::path file = dir.path() / "a";
  write_file(file, "1234");
  EXPECT_EQ(read_file(file, 4), "1234");
  EXPECT_THROW(read_file(file, 3), Error);
  EXPECT_THROW(read_file("/dev/zero", 100'000), Error) << "has no end";
  fs::resize_file(file, max_read_file + 1);  // takes no space
  EXPECT_THROW(read_file(file), Error);
}

TEST(Process, captures_both_outputs_and_the_exit_code) {
  Outcome outcome =
      run({.argv = {"sh", "-c", "cat; echo err >&2; exit 3"}, .input = std::string(300000, 'x')});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.out.size(), 300000u);
  EXPECT_EQ(outcome.err, "err\n");
}

TEST(Process, a_program_that_does_not_exist_is_an_error_that_names_it) {
  try {
    run({.argv = {"no-such-program"}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no-such-program"));
  }
}

TEST(Process, run_checked_quotes_what_the_program_complained_of) {
  try {
    run_checked({.argv = {"sh", "-c", "echo no luck >&2; exit 2"}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("exit code 2: no luck"));
  }
}

TEST(Bytes, hexadecimal_and_base64_go_there_and_back) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (size_t length : {0u, 1u, 2u, 3u, 256u}) {
    EXPECT_EQ(from_hex(to_hex(all.substr(0, length))), all.substr(0, length));
    EXPECT_EQ(from_base64(to_base64(all.substr(0, length))), all.substr(0, length));
  }
  EXPECT_THROW(from_hex("zz"), Error);
  EXPECT_THROW(from_base64("a"), Error);
}

TEST(Bytes, a_value_has_one_text_in_base64) {
  EXPECT_EQ(from_base64("aGk="), "hi");
  for (const char* text : {"aGl=", "aG==", "aG==aGk=", "aGk=    ", "    aGk=", "aGlo----", "===="})
    EXPECT_THROW(from_base64(text), Error) << text;
}

TEST(Sha256, equals_the_published_vectors) {
  EXPECT_EQ(to_hex(bytes_of(sha256("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // RFC 4231, test case 2.
  EXPECT_EQ(to_hex(bytes_of(hmac_sha256("Jefe", "what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

}  // namespace
}  // namespace flox
