// Stored objects as the commands that change them see them.
#pragma once

#include <string>
#include <vector>

#include "kube/commands/session.h"

namespace flox::kube {

// A mark for a changed object: the supervisor replaces pods of another generation.
std::string new_generation();

// "deployment.apps/web", as kubectl names objects.
std::string kubectl_name(const Object& object);

// The stored object that "KIND/NAME" means, of one of the kinds ("deployment", lower case). Throws
// Error(not_found), or invalid_input if several namespaces have it.
StoredObject find_workload(const Session& session, const std::string& target,
                           const std::vector<std::string>& kinds);

// Variables of the command line become part of JSON: throws Error(invalid_input) for one that is not UTF-8.
void check_variable(const std::string& name, const std::string& value);

}  // namespace flox::kube
