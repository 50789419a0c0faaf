// The registry flox.local, which containerd asks for environments in the form of images (OCI distribution
// specification: manifests and blobs; docs/formats/environment-image.md). Asking for a manifest by a tag has
// the environment fetched, and waits for it.
//
// It listens on loopback, where pods with the node's network can ask, too: all but /token wants the node's
// key in the field X-Flox-Node-Key, which `flox node install` has written into containerd's hosts.toml.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/data/secret.h"
#include "base/data/sha256.h"
#include "base/net/server/http_server.h"
#include "node/floxd/fair_threads.h"
#include "node/floxd/images.h"

namespace flox::node {

// Thread-safe.
class ImageRegistry {
 public:
  struct Options {
    Secret key;            // empty: nobody is answered
    std::string endpoint;  // "http://127.0.0.1:9809", as containerd reaches it
    // How long a request waits for an environment. What is not there by then is fetched all the same, and the
    // kubelet tries again: containerd 1.7 and later end a pull without progress after five minutes.
    std::chrono::milliseconds patience = std::chrono::minutes(4);
  };
  ImageRegistry(Images& images, Options options);

  // Whether the request is for this registry: containerd says so (?ns=flox.local), or it asks for a token.
  static bool is_for(const ServerRequest& request);
  // Errors are answers, in the specification's form, and their text stands in the status line, too: that is
  // all that containerd shows of a HEAD. Calls block.
  ServerResponse answer(const ServerRequest& request);

 private:
  using Clock = std::chrono::steady_clock;
  // One environment being resolved and fetched with one token.
  struct Pull {
    std::shared_ptr<const KeptImage> kept;
    std::string environment;  // as it was resolved; empty: it is being resolved
    std::optional<Error> failure;
    bool is_done = false;
    Clock::time_point done_at;
  };
  using Key = Sha256Digest;  // of environment and token, under a key of this process

  ServerResponse answer_checked(const ServerRequest& request);
  ServerResponse token_for(const ServerRequest& request) const;
  ServerResponse challenge(const Error& error, const std::string& repository) const;
  std::shared_ptr<const KeptImage> by_tag(const std::string& environment, const Secret& token);
  std::shared_ptr<const KeptImage> by_digest(const std::string& hex, const Secret& token);
  std::shared_ptr<Pull> begin(const Key& key, const std::string& environment, const Secret& token);
  void pull(const std::shared_ptr<Pull>& pull, const std::string& environment, const Secret& token);
  Key key_of(std::string_view what, const Secret& token) const;
  void allow(const Key& key);
  bool is_allowed(const Key& key);

  Images& images_;
  Options options_;
  std::string own_key_;
  std::mutex mutex_;
  std::condition_variable finished_;
  std::map<Key, std::shared_ptr<Pull>> pulls_;
  std::map<Key, Clock::time_point> allowed_;  // private images and the tokens with which they were pulled
  FairThreads threads_;                       // last: its work uses the others
};

// The key in the file, which only root may read; empty, which the log explains, if it is missing.
Secret node_key_of(const std::filesystem::path& file);

}  // namespace flox::node
