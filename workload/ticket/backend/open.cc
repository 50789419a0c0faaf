#include "ticket/backend/open.h"

#include "base/error.h"
#include "ticket/aws/aws_backend.h"
#include "ticket/environment.h"
#include "ticket/local/local_backend.h"

namespace ticket {

std::unique_ptr<Backend> open_backend(const std::string& name) {
  constexpr std::string_view local = "local:";
  if (name == "aws") return std::make_unique<aws::AwsBackend>(aws::Config::from_environment());
  if (name.starts_with(local) && name.size() > local.size())
    return std::make_unique<local::LocalBackend>(name.substr(local.size()));
  throw flox::Error(flox::ErrorKind::invalid_input, "'" + name + "' is not a backend",
                    "Known are aws, and local:DIR with a directory of this machine.");
}

std::string backend_name(const std::string& option) {
  return option.empty() ? environment_or({"TICKET_BACKEND"}, "aws") : option;
}

}  // namespace ticket
