// Reading Kubernetes manifests: YAML with any number of documents → documents (JSON, what is stored) → typed
// objects.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kube/objects.h"

namespace flox::kube {

// One object as it was written: JSON keeps the difference between "20" and 20, which YAML writers lose.
struct Document {
  nlohmann::json json;
  std::string source;  // "deployment.yaml:12", for messages
};

struct Manifest {
  Object object;
  nlohmann::json json;
};

// Every document of a text, `List` objects taken apart and empty documents left out. Throws
// Error(invalid_input) "SOURCE:LINE:COLUMN: …" for bad YAML.
std::vector<nlohmann::json> read_documents(const std::string& text, const std::string& source);

// The typed objects of a text. What is not acted on here is one line each in `notes`, never dropped in
// silence. Objects without a namespace get `default_namespace`, unless their kind has none. Throws
// Error(invalid_input).
std::vector<Manifest> read_manifests(const std::string& text, const std::string& source,
                                     const std::string& default_namespace, std::vector<std::string>& notes);

// A document that has been read before, from the store: no notes, and the source is only for messages.
Object read_object(const nlohmann::json& document, const std::string& source);

}  // namespace flox::kube
