// The one family of exceptions that the project throws.
//
// An Error has a kind, for programs, and a message, for people: a chain from what was attempted down to what
// went wrong ("realising environment web: fetching …-openssl: hash mismatch"), and optionally advice: what to
// do next. Code adds context on the way up with `in_context`; a program's edge turns the error once into an
// exit code, an RPC status or an HTTP problem document.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <string>
#include <utility>

namespace flox {

enum class ErrorKind {
  not_found,      // what was named does not exist
  invalid_input,  // what was given cannot be understood or breaks a rule
  untrusted,      // a hash, signature or policy says no
  conflict,       // it exists already, or is in use
  unavailable,    // a service, network, disk or lock cannot be had now; trying again may help
  internal,       // our own fault, or an operating system error that fits nowhere else
};

// "not found", "invalid input", … as logs and HTTP problem documents print it.
const char* to_string(ErrorKind kind) noexcept;

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message, std::string advice = {})
      : kind_(kind), message_(std::move(message)), advice_(std::move(advice)) {}

  ErrorKind kind() const noexcept { return kind_; }
  // The whole chain, outermost context first, without the advice.
  const char* what() const noexcept override { return message_.c_str(); }
  // What the reader can do about it; empty if nobody knows.
  const std::string& advice() const noexcept { return advice_; }

  // The same error with one more link in front of its chain.
  Error with_context(std::string_view context) const {
    return Error(kind_, fmt::format("{}: {}", context, message_), advice_);
  }
  // The same error with advice, unless it has some already (the innermost knows best).
  Error with_advice(std::string advice) const {
    return Error(kind_, message_, advice_.empty() ? std::move(advice) : advice_);
  }

 private:
  ErrorKind kind_;
  std::string message_;
  std::string advice_;
};

template <typename... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

// Throws for a failed system call: "MESSAGE: strerror". ENOENT is not_found, EEXIST and EBUSY are conflict,
// ENOSPC, EDQUOT, EROFS, ECONN… and EAGAIN are unavailable, the rest internal.
[[noreturn]] void fail_errno(int error_number, std::string_view message);

template <typename... Args>
[[noreturn]] void fail_errno(int error_number, fmt::format_string<Args...> format, Args&&... args) {
  fail_errno(error_number, std::string_view(fmt::format(format, std::forward<Args>(args)...)));
}

Error to_error(const std::exception& exception);  // foreign_error.h

// Runs `body`; an exception that leaves it gains `context` in front. Foreign exceptions become Errors.
template <typename Body>
decltype(auto) in_context(std::string_view context, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::exception& error) {
    throw to_error(error).with_context(context);
  }
}

// Exit code of a program that ends with an error of this kind: 1 for every handled error, as Flox has it.
inline constexpr int exit_failure = 1;

// Prints "✘ ERROR: message" and, indented below, the advice to stderr; colours only on a terminal without
// NO_COLOR.
void print_error(const std::exception& error);

}  // namespace flox
