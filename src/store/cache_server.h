// A binary cache over the local store: what Nix and we can fetch from, NARs made as they are asked for.
//
//   /nix-cache-info   /DIGEST.narinfo   /nar/DIGEST-NARHASH.nar   /DIGEST.ls
#pragma once

#include <optional>

#include "base/http_server.h"
#include "nix/signature.h"
#include "store/local_store.h"

namespace flox::store {

struct CacheServerOptions {
  std::optional<nix::SecretKey> key;  // signs every narinfo that is served
  int priority = 30;                  // said in nix-cache-info: lower is asked first
};

// Answers requests; a handler for HttpServer. Thread-safe.
class CacheServer {
 public:
  CacheServer(const LocalStore& store, CacheServerOptions options);
  // Throws Error(not_found) for what is not in the store.
  ServerResponse answer(const ServerRequest& request) const;

 private:
  ServerResponse narinfo(std::string_view digest) const;
  ServerResponse nar(std::string_view name) const;
  ServerResponse listing(std::string_view digest) const;
  PathInfo find(std::string_view digest) const;

  const LocalStore& store_;
  CacheServerOptions options_;
};

}  // namespace flox::store
