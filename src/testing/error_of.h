// What a call that must fail says.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace flox {

// The message of the Error that `body` throws, which must be of the kind; "no error" if it throws none.
template <typename Body>
std::string error_of(Body&& body, ErrorKind kind = ErrorKind::invalid_input) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "no error";
}

}  // namespace flox
