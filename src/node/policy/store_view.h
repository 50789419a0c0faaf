// What a container sees of the store.
#pragma once

namespace flox::policy {

enum class StoreView {
  node,     // all of it
  closure,  // its own closure
};

}  // namespace flox::policy
