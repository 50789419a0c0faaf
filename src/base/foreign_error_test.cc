#include "base/foreign_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <variant>

#include "base/os/file.h"

namespace flox {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// What `body` throws, as an Error.
template <typename Body>
Error thrown_by(Body body) {
  try {
    body();
  } catch (const std::exception& error) {
    return to_error(error);
  }
  return Error(ErrorKind::internal, "nothing was thrown");
}

TEST(ToError, leaves_our_own_as_they_are) {
  const Error error = thrown_by([] { throw Error(ErrorKind::conflict, "a lock is held", "Wait."); });
  EXPECT_STREQ(error.what(), "a lock is held");
  EXPECT_EQ(error.kind(), ErrorKind::conflict);
  EXPECT_EQ(error.advice(), "Wait.");
}

TEST(ToError, says_what_was_attempted_with_which_file_and_why_it_failed) {
  const Error one = thrown_by([] { (void)fs::file_size("/nonexistent/file"); });
  EXPECT_STREQ(one.what(), "cannot get file size /nonexistent/file: No such file or directory");
  EXPECT_EQ(one.kind(), ErrorKind::not_found);
  const Error two = thrown_by([] { fs::rename("/nonexistent/a", "/nonexistent/b"); });
  EXPECT_STREQ(two.what(), "cannot rename /nonexistent/a to /nonexistent/b: No such file or directory");
}

TEST(ToError, gives_failures_of_the_system_the_kind_of_their_errno) {
  const Error error =
      thrown_by([] { throw std::system_error(ENOSPC, std::generic_category(), "writing the index"); });
  EXPECT_STREQ(error.what(), "writing the index: No space left on device");
  EXPECT_EQ(error.kind(), ErrorKind::unavailable);
}

TEST(ToError, says_what_is_wrong_with_json_without_naming_the_parsers_exception) {
  const Error error = thrown_by([] { (void)nlohmann::json({{"a", 1}}).at("a").get<std::string>(); });
  EXPECT_STREQ(error.what(), "unexpected JSON: type must be string, but is number");
  EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
}

TEST(ToError, calls_memory_that_ran_out_unavailable) {
  EXPECT_EQ(thrown_by([] { throw std::bad_alloc(); }).kind(), ErrorKind::unavailable);
  EXPECT_EQ(message_of(std::bad_alloc()), "out of memory");
}

TEST(ToError, calls_a_fault_of_the_program_one_and_names_no_namespace_of_the_library) {
  for (const Error& error : {
           thrown_by([] { (void)std::stoi("x"); }),
           thrown_by([] { (void)std::map<int, int>().at(1); }),
           thrown_by([] { (void)std::optional<int>().value(); }),
           thrown_by([] { (void)std::get<1>(std::variant<int, char>(1)); }),
           thrown_by([] { throw std::future_error(std::future_errc::broken_promise); }),
           thrown_by([] { throw std::exception(); }),
       }) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("internal error ("), Not(HasSubstr("std::"))));
    EXPECT_EQ(error.kind(), ErrorKind::internal);
    EXPECT_THAT(error.advice(), HasSubstr("report"));
  }
}

TEST(ToError, keeps_a_context_in_front) {
  const Error error =
      thrown_by([] { in_context("reading a", [] { (void)fs::file_size("/nonexistent/a"); }); });
  EXPECT_STREQ(error.what(), "reading a: cannot get file size /nonexistent/a: No such file or directory");
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
}

}  // namespace
}  // namespace flox
