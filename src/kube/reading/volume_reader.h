// Reading one volume of a pod from a manifest.
#pragma once  // Fuzzed by fuzz/kube_manifest.cc.

#include "kube/reading/fields.h"

namespace flox::kube {

// Throws Error(invalid_input) naming file, line, column and field.
Volume read_volume(Fields& fields);

}  // namespace flox::kube
