// The registry flox.local, which containerd asks for environments in the form of images (OCI distribution
// specification: manifests and blobs; docs/formats/environment-image.md). Asking for a manifest by a tag has
// the environment fetched, and waits for it.
//
// It listens on loopback, where pods with the node's network can ask, too: all but /token wants the node's
// key in the field X-Flox-Node-Key, which `flox node install` has written into containerd's hosts.toml.
//
// Of who pulls it is told no more than the reference and the pod's secret. So those who share its threads and
// its waiting requests (fair_threads.h, fair_places.h) are the owners of what is named, each for each secret.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/data/secret.h"
#include "base/data/sha256.h"
#include "base/net/server/http_server.h"
#include "node/floxd/fair_places.h"
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
  // Resolves what an image names, says what that is, and realises it. Throws Error.
  using Realise = std::function<std::shared_ptr<const KeptImage>(
      const std::string& environment, const Secret& token,
      const std::function<void(std::string resolved)>& on_resolved)>;

  // All must outlive it; `lane`, on whose threads it realises, is stopped before it goes. `realise`: instead
  // of how `images` does it; null: so.
  ImageRegistry(Images& images, FairThreads& lane, Options options, Realise realise = nullptr);

  // Whether the request is for this registry: containerd says so (?ns=flox.local), or it asks for a token.
  static bool is_for(const ServerRequest& request);
  // Errors are answers, in the specification's form, and their text stands in the status line, too: that is
  // all that containerd shows of a HEAD. What is not there yet is answered later.
  ServerResponse answer(const ServerRequest& request);
  // Tells all that wait, and whoever comes yet, to try again: floxd ends.
  void end_waiting();

 private:
  using Clock = std::chrono::steady_clock;
  using Answer = std::function<void(ServerResponse)>;
  struct Places {
    explicit Places(size_t count) : fair(count) {}
    std::mutex mutex;
    FairPlaces fair;
  };
  // One of the places that its owner has; given back when it goes.
  using Place = std::shared_ptr<void>;
  // What a request with a tag asks for.
  struct Asked {
    std::string repository;   // as in the reference
    std::string environment;  // that it names
    Secret token;             // empty: as anybody
    bool has_login = false;   // it has brought a token, if only that of nobody
  };
  struct Waiting {
    std::shared_ptr<const Asked> asked;
    Answer answer;
    Clock::time_point until;
    Place place;
  };
  // One environment being resolved and fetched with one token.
  struct Pull {
    std::shared_ptr<const KeptImage> kept;
    std::string environment;  // as it was resolved; until then as it was named
    std::optional<Error> failure;
    bool is_done = false;
    Clock::time_point done_at;
    std::vector<Waiting> waiting;
    Place place;
  };
  using Key = Sha256Digest;  // of environment and token, under a key of this process

  ServerResponse answer_checked(const ServerRequest& request);
  ServerResponse token_for(const ServerRequest& request) const;
  ServerResponse challenge(const Error& error, const std::string& repository) const;
  ServerResponse by_tag(const Asked& asked);
  std::shared_ptr<const KeptImage> by_digest(const std::string& hex, const Secret& token);
  void wait(const std::shared_ptr<Pull>& pull, Waiting waiting);
  ServerResponse answer_of(const Pull& pull, const Asked& asked) const;
  ServerResponse refusal(const Error& error, const Asked& asked) const;
  std::shared_ptr<Pull> begin(const Key& key, const std::string& owner,
                              const Asked& asked);  // with the mutex
  // `what` it is a place for. Throws Error(unavailable) if the owner has too many.
  static Place place_of(const std::shared_ptr<Places>& places, const std::string& owner, const char* what);
  // In the lane.
  void run(const std::shared_ptr<Pull>& pull, const std::string& environment, const Secret& token);
  // On a thread of its own: answers those that have waited long enough.
  void answer_late(const std::stop_token& stop);
  std::string owner_of(const Asked& asked) const;
  Key key_of(std::string_view what, const Secret& token) const;
  void allow(const Key& key);
  bool is_allowed(const Key& key);

  Images& images_;
  FairThreads& lane_;
  Options options_;
  Realise realise_;
  std::string own_key_;
  std::mutex mutex_;
  std::condition_variable_any waits_;  // somebody waits, where nobody did
  const std::shared_ptr<Places> pull_places_, waiting_places_;
  std::map<Key, std::shared_ptr<Pull>> pulls_;
  bool is_ending_ = false;
  std::map<Key, Clock::time_point> allowed_;  // private images and the tokens with which they were pulled
  std::jthread late_;                         // last: it uses the others
};

// The key in the file, which only root may read; empty, which the log explains, if it is missing.
Secret node_key_of(const std::filesystem::path& file);

}  // namespace flox::node
