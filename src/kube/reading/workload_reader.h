// Reading the objects that make pods.
#pragma once

#include "kube/reading/fields.h"

namespace flox::kube {

// `object` holds the fields of the whole object. Throw Error(invalid_input).
Deployment read_deployment(Fields& object);
Job read_job(Fields& object);

}  // namespace flox::kube
