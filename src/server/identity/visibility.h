// What a caller may see, and whose a package or an environment is. What a caller may not see is answered like
// what is not there.
//
// Who may read a file of the cache: whoever uploaded it, until something that needs it is published; then
// whoever may see that. A file is public once something public needs it, and stays so.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "nix/narinfo.h"
#include "server/files/cache_access.h"
#include "server/identity/caller.h"
#include "server/records/cache_readers.h"
#include "server/records/holdings.h"
#include "server/records/owners.h"

namespace flox::server {

// Thread-safe.
class Visibility {
 public:
  // The records must outlive it.
  Visibility(OwnerRecords& owners, Holdings& holdings, CacheReaders& readers)
      : owners_(owners), holdings_(holdings), readers_(readers) {}

  bool may_see(const Caller& caller, Kind kind, const std::string& name) const;
  // Whether an owner's signed metadata may be seen: not if it is private and has published nothing that
  // everyone may see.
  bool may_see_owner(const Caller& caller, const std::string& owner) const;
  // The names that the caller may not see.
  std::set<std::string> hidden_from(const Caller& caller, Kind kind) const;

  // Whose a package is or becomes when the caller publishes it; nothing is written yet. `wanted` is the owner
  // that the publisher names; empty: the package's, or the one for which the caller publishes. The operator
  // gives a package of its own to an owner by publishing it for that one.
  // `is_published`: it was here before there were owners. Throws Refusal if it is another owner's,
  // Error(invalid_input) if it is not clear for which owner the caller publishes.
  Holding package_for(const Caller& caller, const std::string& name, const std::string& wanted,
                      bool is_published) const;
  // Claims it, if that is not done yet, in the transaction that records the build. Throws Refusal if another
  // owner was quicker.
  static void claim_package(Session& session, const Caller& caller, const std::string& name,
                            const Holding& holding);
  // What an environment is or becomes when it is pushed; nothing is written yet.
  Holding environment_for(const std::string& owner, const std::string& name, bool is_published) const;
  // The first push claims an environment; only who may publish for the owner gets here.
  static Holding claim_environment(Session& session, const std::string& name, const Holding& holding);
  // Whether everyone may read the file of the cache.
  bool is_everyones(const std::string& file) const { return readers_.unreadable({file}, {}).empty(); }
  // A published thing needs the files: who may see it may read them. Throws Refusal if one of them is private
  // to others than the thing's owner and the caller: that the caller may read them is no reason to show them
  // to others.
  static void publish_files(Session& session, const Caller& caller, const Holding& holding,
                            const std::vector<nix::NarInfo>& closure);

  // The cache as the caller may use it. The caller must outlive it.
  class CallersCache : public CacheAccess {
   public:
    CallersCache(const Visibility& visibility, const Caller& caller);
    std::set<std::string> unreadable(const std::vector<std::string>& names) const override;
    void grant(const std::string& name, bool is_new) const override;

   private:
    CacheReaders& readers_;
    bool is_operator_;
    std::set<std::string> names_;  // as which the caller reads
    std::string uploader_;         // as which it uploads; empty: for everyone
  };

 private:
  bool is_private(const std::string& owner) const;
  // Throws Error(not_found), with advice.
  void require_owner(const std::string& owner) const;

  OwnerRecords& owners_;
  Holdings& holdings_;
  CacheReaders& readers_;
};

}  // namespace flox::server
