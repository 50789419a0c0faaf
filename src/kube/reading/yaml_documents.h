// The one way in for YAML (and with it for JSON manifests): limits first, then anchors, aliases and merge
// keys resolved, then nodes that say where they stood.
//
// Merge keys are those of YAML 1.1 (https://yaml.org/type/merge.html): `<<: *base` or `<<: [*a, *b]` gives a
// map the fields of other maps. The map's own fields win, wherever they stand; of several maps the earlier
// wins; maps are not merged level by level. A quoted "<<" is an ordinary key.
#pragma once  // Fuzzed by fuzz/kube_manifest.cc.

#include <string>
#include <string_view>
#include <vector>

#include "kube/reading/yaml_node.h"

namespace flox::kube {

struct YamlLimits {
  size_t bytes = 4 << 20;             // of the text; an API server takes 3 MiB in a request
  size_t depth = 64;                  // levels of lists and maps, aliases followed
  size_t nodes = 200'000;             // values of all documents, those behind aliases counted each time
  size_t expanded_bytes = 16 << 20;   // of all scalars, those behind aliases counted each time
  size_t scalar = (1 << 20) + 65536;  // bytes of one scalar; a ConfigMap holds 1 MiB
  size_t documents = 1000;
};

// Every document of the text, in its order; an empty one is null. Throws Error(invalid_input)
// "SOURCE:LINE:COLUMN: …" for what is no YAML or not UTF-8, breaks a limit, gives a field twice, has a key
// that is not a word, carries a tag other than those of JSON's values, or uses an anchor within itself.
std::vector<YamlNode> load_documents(std::string_view text, const std::string& source,
                                     const YamlLimits& limits = {});

}  // namespace flox::kube
