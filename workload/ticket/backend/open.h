// Choosing a backend by its name.
#pragma once

#include <memory>
#include <string>

#include "ticket/backend/backend.h"

namespace ticket {

// "aws": AWS or an endpoint that speaks like it, as the AWS_… variables say. "local:DIR": a directory of this
// machine, made if missing. Throws flox::Error(invalid_input) for any other name.
std::unique_ptr<Backend> open_backend(const std::string& name);

// What --backend says, otherwise TICKET_BACKEND, otherwise "aws".
std::string backend_name(const std::string& option);

// The help text of --backend.
inline constexpr const char* backend_help =
    "queue, buckets and table: aws (the AWS_… variables configure it), or local:DIR, a directory that any\n"
    "number of processes on this machine may share (TICKET_BACKEND; default: aws)";

}  // namespace ticket
