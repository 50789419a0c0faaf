// The objects that pods look up while they start: an immutable picture of everything that has been played.
#pragma once

#include <map>
#include <memory>

#include "kube/reading/objects.h"

namespace flox::kube {

class ObjectIndex {
 public:
  ObjectIndex() = default;
  explicit ObjectIndex(std::map<ObjectKey, Object> objects) : objects_(std::move(objects)) {}

  const std::map<ObjectKey, Object>& all() const { return objects_; }
  const Object* find(const ObjectKey& key) const {
    const auto found = objects_.find(key);
    return found == objects_.end() ? nullptr : &found->second;
  }
  // A ConfigMap's or Secret's data; null if it has not been played.
  const KeyedData* keyed_data(bool secret, const std::string& namespace_, const std::string& name) const {
    const Object* object = find({secret ? "Secret" : "ConfigMap", namespace_, name});
    return object ? std::get_if<KeyedData>(&object->body) : nullptr;
  }

 private:
  std::map<ObjectKey, Object> objects_;
};

using ObjectIndexPtr = std::shared_ptr<const ObjectIndex>;

}  // namespace flox::kube
