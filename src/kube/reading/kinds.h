// What becomes of each kind of object.
#pragma once

#include <string>
#include <vector>

namespace flox::kube {

enum class Fate {
  read,       // manifest.h reads it, field by field
  noted,      // it has no effect on one machine, or nothing here runs it
  restricts,  // it restricts what others may do, which nothing here would keep to: refused
};

struct KindRule {
  const char* kind;
  Fate fate;
  std::vector<const char*> api_versions;  // empty: any
  const char* why = "";                   // of what is noted; empty: in general words
};

// Null for a kind that is not known, which is refused, too: it may restrict.
const KindRule* find_kind(const std::string& kind);

// Objects of this kind belong to no namespace.
bool cluster_wide(const std::string& kind);

}  // namespace flox::kube
