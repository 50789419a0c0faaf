// Reading one YAML map field by field, with errors that name the file, line and column, and with the promise
// that no field is passed over in silence: what nobody asked for is reported when the map has been read.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "kube/objects.h"

namespace flox::kube {

// Where a document came from and where its remarks go. Must outlive the Fields that refer to it.
struct ReadContext {
  std::string source;                         // file name, or "standard input"
  std::string object;                         // "Deployment ticket-processor", once known
  std::vector<std::string>* notes = nullptr;  // one line each; may be null

  // Throws Error(invalid_input) "SOURCE:LINE:COLUMN: OBJECT: PATH: TEXT".
  [[noreturn]] void reject(const YAML::Node& where, const std::string& path, const std::string& text) const;
  void note(const std::string& text) const;
};

class Fields {
 public:
  // `node` must be a map; a missing or null one reads as empty.
  Fields(const YAML::Node& node, std::string path, const ReadContext& context);
  // Reports every field that was never asked for, as "not acted on".
  ~Fields() noexcept(false);
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  bool has(const char* key) const;
  // The node of a field (not defined if missing or null), which thereby counts as read.
  YAML::Node node(const char* key);

  // Kubernetes takes only strings for strings: an unquoted 20 or true is an error that says so.
  std::string text(const char* key, const std::string& otherwise = {});
  std::string required_text(const char* key);
  std::optional<int64_t> integer(const char* key, int64_t minimum, int64_t maximum);
  std::optional<bool> boolean(const char* key);
  std::vector<std::string> texts(const char* key);
  StringMap text_map(const char* key);
  // A quantity such as 500m, 2Gi or 1.5: thousandths or whole units, rounded up.
  std::optional<int64_t> quantity(const char* key, bool thousandths);
  // A number or a port's name, as text.
  std::string integer_or_text(const char* key);

  // Calls `read` for every entry of a list, with the entry's own path: "spec.containers[0]".
  void each(const char* key, const std::function<void(const YAML::Node&, const std::string& path)>& read);

  // The field is understood but has no effect here: if it is given, says why.
  void note(const char* key, const std::string& why);
  // The field is understood and rightly has no effect here: nothing to say.
  void accept(const char* key) { read_.insert(key); }

  std::string path_of(const char* key) const;
  [[noreturn]] void reject(const char* key, const std::string& text) const;
  const ReadContext& context() const { return context_; }

 private:
  YAML::Node map_;
  std::string path_;
  const ReadContext& context_;
  std::set<std::string> read_;
  int exceptions_;
};

// The text of a scalar node that Kubernetes would take for a string. Throws Error through `context`.
std::string string_of(const YAML::Node& node, const std::string& path, const ReadContext& context);

// A whole number as Kubernetes takes it from YAML: 0644 and 0o644 are octal, 0x1a4 hexadecimal. Nothing if it
// is none.
std::optional<int64_t> parse_integer(std::string_view text);

// "500m" → 500 thousandths, "2Gi" → 2147483648 whole units; rounded up. Nothing if it is not a quantity.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
std::optional<int64_t> parse_quantity(const std::string& text, bool thousandths);

}  // namespace flox::kube
