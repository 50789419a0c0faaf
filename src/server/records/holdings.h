// Whose each package and environment is, and whether only its owner's members may see it.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/database/database.h"

namespace flox::server {

enum class Kind { package, environment };
// As tables have it.
constexpr std::string_view text_of(Kind kind) { return kind == Kind::package ? "package" : "environment"; }

struct Holding {
  std::string owner;  // empty: the operator's
  bool is_private = false;
  std::string since;  // RFC 3339, UTC
};

// Thread-safe. A package is known by its name, an environment by OWNER/NAME.
class Holdings {
 public:
  // The database (records/database.h) must outlive it.
  explicit Holdings(Database& database) : database_(database) {}

  // Nothing: nobody has claimed it.
  std::optional<Holding> find(Kind kind, const std::string& name) const;
  // In the transaction of what is published. The first claim counts, of two at the same time just one. Whose
  // it is now.
  static Holding claim(Session& session, Kind kind, const std::string& name, const Holding& holding);
  // Gives it to another owner, or changes who sees it; it need not have been claimed.
  // `with_it` is done in the same transaction; it may be called again.
  void put(
      Kind kind, const std::string& name, const Holding& holding,
      const std::function<void(Session&)>& with_it = [](Session&) {});
  // Gives it from one owner to another; false, and nothing changes, if it is not that one's any more.
  static bool give(Session& session, Kind kind, const std::string& name, const std::string& from,
                   const std::string& to);
  // Whether something of the owner may be seen by everyone.
  bool has_public(const std::string& owner) const;
  // The names of what belongs to the owner, sorted.
  std::vector<std::string> owned(Kind kind, const std::string& owner) const;
  // What is private, but for what belongs to one of these owners.
  std::set<std::string> hidden(Kind kind, const std::set<std::string>& readable) const;

 private:
  Database& database_;
};

}  // namespace flox::server
