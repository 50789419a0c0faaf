// Exceptions of the standard library and of other libraries, as Errors and in words for people.
#pragma once

#include <exception>
#include <string>

#include "base/error.h"

namespace flox {

// Any exception as an Error: ours as it is; others without the names of classes and functions of C++. A
// failed operation on files or of the system has the kind that fail_errno would give it, JSON of an
// unexpected form is invalid_input, memory that ran out is unavailable, the rest is internal. Code that
// catches std::exception takes its text from here (script/lint).
Error to_error(const std::exception& exception);
// The message alone.
std::string message_of(const std::exception& exception);

}  // namespace flox
