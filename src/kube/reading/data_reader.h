// Reading the objects that pods refer to.
#pragma once

#include <span>

#include "kube/reading/fields.h"

namespace flox::kube {

// `object` holds the fields of the whole object. Throw Error(invalid_input).
KeyedData read_secret(Fields& object);
KeyedData read_config_map(Fields& object);
PersistentVolumeClaim read_claim(Fields& object);
RuntimeClass read_runtime_class(Fields& object);
void read_service_account(Fields& object, const Metadata& metadata);
// What is known of such an object beside what these read.
std::span<const FieldRule> rules_of_object(const std::string& kind);

}  // namespace flox::kube
