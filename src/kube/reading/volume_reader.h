// Reading one volume of a pod from a manifest.
#pragma once  // Fuzzed by fuzz/kube_manifest.cc.

#include "kube/reading/fields.h"

namespace flox::kube {

// Throws Error(invalid_input) naming file, line, column and field.
Volume read_volume(const YamlNode& node, const std::string& path, const ReadContext& context);

}  // namespace flox::kube
