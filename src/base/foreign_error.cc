#include "base/foreign_error.h"

#include <filesystem>
#include <functional>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <typeinfo>
#include <variant>

namespace flox {
namespace {

// `text` without each `part`.
std::string without(std::string text, std::string_view part) {
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos;) text.erase(at, part.size());
  return text;
}

bool is_errno(const std::error_code& code) {
  return code.category() == std::generic_category() || code.category() == std::system_category();
}

// The kind of a failed system call, as fail_errno chooses it.
ErrorKind kind_of_code(const std::error_code& code) {
  if (!is_errno(code)) return ErrorKind::internal;
  try {
    fail_errno(code.value(), std::string_view());
  } catch (const Error& error) {
    return error.kind();
  }
}

// libstdc++ says "filesystem error: OPERATION: REASON [PATH] [PATH]".
Error of_file_system(const std::filesystem::filesystem_error& error) {
  const std::string text = error.what(), reason = error.code().message();
  constexpr std::string_view prefix = "filesystem error: ";
  const size_t begin = text.starts_with(prefix) ? prefix.size() : 0;
  const size_t end = text.find(": " + reason, begin);
  std::string message = end == std::string::npos ? "using a file" : text.substr(begin, end - begin);
  if (!error.path1().empty()) message += " " + error.path1().string();
  if (!error.path2().empty()) message += " to " + error.path2().string();
  return {kind_of_code(error.code()), fmt::format("{}: {}", message, reason)};
}

// nlohmann's exceptions, known by their text so that this file needs no parser: "[json.exception.KIND.ID]
// TEXT".
bool is_json_text(std::string_view text) { return text.starts_with("[json.exception."); }

Error of_json(std::string_view text) {
  const size_t end = text.find("] ");
  return {ErrorKind::invalid_input,
          fmt::format("unexpected JSON: {}",
                      end == std::string_view::npos ? "it has another form" : text.substr(end + 2))};
}

// What the standard library throws if it is used wrongly; the text is for programmers.
bool is_fault(const std::exception& exception) {
  const auto is = [&]<typename Kind>(const Kind*) {
    return dynamic_cast<const Kind*>(&exception) != nullptr;
  };
  return is(static_cast<const std::logic_error*>(nullptr)) ||
         is(static_cast<const std::bad_cast*>(nullptr)) ||
         is(static_cast<const std::bad_optional_access*>(nullptr)) ||
         is(static_cast<const std::bad_variant_access*>(nullptr)) ||
         is(static_cast<const std::bad_function_call*>(nullptr)) ||
         is(static_cast<const std::bad_typeid*>(nullptr)) ||
         is(static_cast<const std::bad_exception*>(nullptr)) || typeid(exception) == typeid(std::exception);
}

}  // namespace

Error to_error(const std::exception& exception) {
  if (const auto* ours = dynamic_cast<const Error*>(&exception)) return *ours;
  if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&exception))
    return of_file_system(*file);
  if (const auto* system = dynamic_cast<const std::system_error*>(&exception))
    return {kind_of_code(system->code()), without(system->what(), "std::")};
  if (dynamic_cast<const std::bad_alloc*>(&exception) != nullptr)
    return {ErrorKind::unavailable, "out of memory"};
  if (is_json_text(exception.what())) return of_json(exception.what());
  if (is_fault(exception))
    return {ErrorKind::internal, fmt::format("internal error ({})", without(exception.what(), "std::")),
            "Please report this with what you did: it is a fault of the program."};
  return {ErrorKind::internal, without(exception.what(), "std::")};  // a library's sentence
}

std::string message_of(const std::exception& exception) { return to_error(exception).what(); }

}  // namespace flox
