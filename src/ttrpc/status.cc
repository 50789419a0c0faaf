#include "ttrpc/status.h"

#include "base/foreign_error.h"

namespace flox::ttrpc {
namespace {

Code code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::not_found:
      return Code::not_found;
    case ErrorKind::invalid_input:
      return Code::invalid_argument;
    case ErrorKind::untrusted:
      return Code::permission_denied;
    case ErrorKind::conflict:
      return Code::already_exists;
    case ErrorKind::unavailable:
      return Code::unavailable;
    case ErrorKind::internal:
      return Code::internal;
  }
  return Code::unknown;
}

ErrorKind kind_of(Code code) {
  switch (code) {
    case Code::not_found:
      return ErrorKind::not_found;
    case Code::invalid_argument:
    case Code::unimplemented:
      return ErrorKind::invalid_input;
    case Code::permission_denied:
      return ErrorKind::untrusted;
    case Code::already_exists:
    case Code::failed_precondition:
      return ErrorKind::conflict;
    case Code::unavailable:
    case Code::deadline_exceeded:
    case Code::resource_exhausted:
      return ErrorKind::unavailable;
    default:
      return ErrorKind::internal;
  }
}

}  // namespace

Status status_of(const std::exception& error) {
  if (const auto* status = dynamic_cast<const StatusError*>(&error)) return status->status();
  const Error ours = to_error(error);
  std::string message = ours.what();
  if (!ours.advice().empty()) message += "\n" + ours.advice();
  const bool is_foreign = dynamic_cast<const Error*>(&error) == nullptr;
  return {is_foreign ? Code::unknown : code_of(ours.kind()), std::move(message)};
}

Error error_of(const Status& status) {
  size_t end = status.message.find('\n');
  if (end == std::string::npos) return Error(kind_of(status.code), status.message);
  return Error(kind_of(status.code), status.message.substr(0, end), status.message.substr(end + 1));
}

}  // namespace flox::ttrpc
