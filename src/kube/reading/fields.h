// Reading one map of a manifest field by field, with errors that name the file, line and column, and with the
// promise that no field is passed over in silence: what is not known is refused, as kubectl's strict
// validation does, and what has no effect here is noted, or refused if it restricts.
#pragma once  // Fuzzed by fuzz/kube_manifest.cc.

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kube/reading/objects.h"
#include "kube/reading/yaml_node.h"

namespace flox::kube {

// Where a document came from and where its remarks go. Must outlive the Fields that refer to it.
struct ReadContext {
  std::string source;                         // file name, or "standard input"
  std::string object;                         // "Deployment ticket-processor", once known
  std::vector<std::string>* notes = nullptr;  // one line each; may be null

  // Throws Error(invalid_input) "SOURCE:LINE:COLUMN: OBJECT: PATH: TEXT".
  [[noreturn]] void reject(const YamlNode& where, const std::string& path, const std::string& text) const;
  void note(const std::string& text) const;
};

// What becomes of a field of Kubernetes' API that is not acted on here.
enum class Treatment {
  silent,   // it rightly has no effect on one machine, or says what is the case anyway
  noted,    // it has no effect, which is worth a line
  refused,  // it restricts what the pod may do, or the pod cannot work without it
};

struct FieldRule {
  const char* name;
  Treatment treatment;
  const char* why = "";       // as a sentence's end
  const char* harmless = "";  // a scalar value that asks for nothing, so that `refused` does not refuse it
};

class Fields {
 public:
  // Reads a map: `reader` takes the fields that it knows from the Fields that it is given, and its result is
  // returned. `rules` tells of the fields that are known and not read. Once the reader has returned, what it
  // has neither read nor accepted and is not among the rules is refused. This is the only way to get Fields,
  // so no reader can leave that check out. `node` must be a map; a missing or null one reads as empty.
  // Throws Error(invalid_input).
  template <typename Reader>
  static std::invoke_result_t<Reader&, Fields&> read(const YamlNode& node, const std::string& path,
                                                     const ReadContext& context,
                                                     std::span<const FieldRule> rules, Reader&& reader) {
    Fields fields(node, path, context, rules);
    if constexpr (std::is_void_v<std::invoke_result_t<Reader&, Fields&>>) {
      reader(fields);
      fields.finish();
    } else {
      auto result = reader(fields);
      fields.finish();
      return result;
    }
  }
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  bool has(const char* key) const;
  // The node of a field (missing if it is null), which thereby counts as read.
  YamlNode node(const char* key);

  // Kubernetes takes only strings for strings: an unquoted 20 or true is an error that says so.
  std::string text(const char* key, const std::string& otherwise = {});
  std::string required_text(const char* key);
  // One of these words; the first if it is not given.
  std::string word(const char* key, std::initializer_list<const char*> words);
  std::optional<int64_t> integer(const char* key, int64_t minimum, int64_t maximum);
  std::optional<bool> boolean(const char* key);
  std::vector<std::string> texts(const char* key);
  std::vector<int64_t> integers(const char* key, int64_t minimum, int64_t maximum);
  StringMap text_map(const char* key);
  // A quantity such as 500m, 2Gi or 1.5: thousandths or whole units, rounded up.
  std::optional<int64_t> quantity(const char* key, bool thousandths);
  // A number or a name, as text.
  std::string integer_or_text(const char* key);

  // Calls `read` for every entry of a list, with the entry's own path: "spec.containers[0]".
  void each(const char* key, const std::function<void(const YamlNode&, const std::string& path)>& read);
  // The field's value is a map: what `reader` makes of its fields.
  template <typename Reader>
  auto map(const char* key, Reader&& reader, std::span<const FieldRule> rules = {}) {
    return read(node(key), path_of(key), context_, rules, reader);
  }
  // The field's value is a list of maps: what `reader` makes of each.
  template <typename Reader>
  auto maps(const char* key, Reader&& reader, std::span<const FieldRule> rules = {}) {
    std::vector<std::invoke_result_t<Reader&, Fields&>> values;
    each(key, [&](const YamlNode& item, const std::string& path) {
      values.push_back(read(item, path, context_, rules, reader));
    });
    return values;
  }

  // The field is understood but has no effect here: if it is given, says why.
  void note(const char* key, const std::string& why);
  // The field is understood and rightly has no effect here: nothing to say.
  void accept(const char* key) { read_.insert(key); }
  void accept_all();

  // The map itself, whose fields do not count as read thereby.
  const YamlNode& whole() const { return map_; }
  const std::string& path() const { return path_; }
  std::string path_of(const char* key) const;
  [[noreturn]] void reject(const char* key, const std::string& text) const;
  // What is wrong is the map as a whole.
  [[noreturn]] void reject(const std::string& text) const;
  const ReadContext& context() const { return context_; }

 private:
  Fields(const YamlNode& node, const std::string& path, const ReadContext& context,
         std::span<const FieldRule> rules);
  // Refuses what is neither read nor among the rules.
  void finish() const;
  void apply(const FieldRule& rule, const YamlNode& key, const YamlNode& value) const;

  YamlNode node_;  // as it was given
  YamlNode map_;   // missing if it was null
  std::string path_;
  const ReadContext& context_;
  std::span<const FieldRule> rules_;
  std::set<std::string, std::less<>> read_;
};

// The text of a scalar node that Kubernetes would take for a string. Throws Error through `context`.
std::string string_of(const YamlNode& node, const std::string& path, const ReadContext& context);

// "500m" → 500 thousandths, "2Gi" → 2147483648 whole units; rounded up. Nothing if it is not a quantity.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
std::optional<int64_t> parse_quantity(const std::string& text, bool thousandths);

}  // namespace flox::kube
