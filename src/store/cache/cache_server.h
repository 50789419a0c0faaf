// A binary cache over the local store: what Nix and we can fetch from, NARs made as they are asked for.
//
//   /nix-cache-info   /DIGEST.narinfo   /nar/DIGEST-NARHASH.nar[.zst|.xz]   /DIGEST.ls
//
// Parts of a NAR that is not compressed can be asked for (Range), its ETag is its hash: a broken transfer
// goes on where it stopped. With compression, neither the size nor the hash of the file is known before it is
// made, so the narinfos do not say them and there are no ranges.
#pragma once

#include <functional>
#include <mutex>
#include <optional>

#include "base/net/server/http_server.h"
#include "nix/signature.h"
#include "store/cache/compress.h"
#include "store/local/local_store.h"

namespace flox::store {

struct CacheServerOptions {
  std::optional<nix::SecretKey> key;  // signs every narinfo that is served
  int priority = 30;                  // said in nix-cache-info: lower is asked first
  // Of NARs while they are sent, by one thread for each. Nothing already compressed is kept.
  Compression compression{.method = "none"};
  // Whether there is to be a narinfo of a path that is in the store; unset: of each. Thread-safe.
  std::function<bool(const PathInfo&)> shows = {};
};

// Answers requests; a handler for HttpServer. Thread-safe.
class CacheServer {
 public:
  // Throws Error(invalid_input) for an unknown compression.
  CacheServer(const LocalStore& store, CacheServerOptions options);
  // Throws Error(not_found) for what is not in the store.
  ServerResponse answer(const ServerRequest& request) const;

 private:
  ServerResponse narinfo(std::string_view digest) const;
  ServerResponse nar(const ServerRequest& request, std::string_view name) const;
  std::string nar_name(const PathInfo& info) const;
  ServerResponse listing(std::string_view digest) const;
  PathInfo find(std::string_view digest) const;

  const LocalStore& store_;
  CacheServerOptions options_;
  mutable std::mutex listing_mutex_;
};

}  // namespace flox::store
