// The writer's side of a shared store: answers the floxds of nodes that read it
// (docs/formats/shared-store.md), realises for them, and keeps a lease for each of theirs, by node and
// holder: "reader-NODE_HOLDER".
//
//   STATE/readers/NODE    the reader's number; the file's time is when it was last heard
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/data/sha256.h"
#include "base/net/server/http_server.h"
#include "protocol/shared_store.pb.h"
#include "store/fetch/realise_options.h"
#include "store/local/local_store.h"
#include "store/peers/peer_proof.h"

namespace flox::node {

// What the holders of readers' leases begin with.
inline constexpr std::string_view reader_holder_prefix = "reader-";

// What a reader wants realised.
struct ReaderWork {
  std::string lock, system, mode, lane;
  store::RealiseLimits limits;
  std::string node;    // the reader's name
  std::string holder;  // of the lease that it is to have
  std::function<bool()> is_over;
  std::function<void(const store::RealiseProgress&)> on_progress;
};

// Thread-safe.
class StoreWriter {
 public:
  struct Options {
    std::filesystem::path state;
    std::string system;               // of this node
    nix::StorePath runtime;           // the runtime closure that readers get
    std::chrono::seconds lease_time;  // after which a reader that is not heard of has no leases any more
    // Calls `run` once, later and on a thread of its own choice, which readers and lanes share in turns, or
    // never, when it ends first. Throws Error for what it does not accept.
    std::function<void(const ReaderWork& work, std::function<void()> run)> begin;
    // Gives the profile, valid and leased. Throws Error. Called by these threads.
    std::function<nix::StorePath(const ReaderWork&)> realise;
    std::function<void(size_t)> readers = [](size_t) {};  // how many there are, after each change
    // Paths in all leases of one reader together, of which each is a file on this node's disk.
    size_t most_leased = 20'000;
  };
  // Adds the file by which the store is known, if it is missing. The store outlives it, and it outlives what
  // has begun.
  StoreWriter(store::LocalStore& store, Options options);
  ~StoreWriter();
  StoreWriter(const StoreWriter&) = delete;
  StoreWriter& operator=(const StoreWriter&) = delete;

  // The answer to a request that has shown, with its body, who has made it (PeerServer): a node whose own
  // key that is speaks for no other. Has a proof of its own.
  ServerResponse answer(const ServerRequest& request, const store::PeerProver& prover);
  // Ends the leases of readers that were not heard of for the lease time, and work that nobody asks for any
  // more.
  void sweep();

 private:
  struct Reader;
  struct Job;
  shared::v1::HelloAnswer hello(const shared::v1::HelloRequest& request);
  shared::v1::RealiseAnswer realise(const shared::v1::RealiseRequest& request);
  shared::v1::LeasesAnswer leases(const shared::v1::LeasesRequest& request);
  template <typename Request, typename Answer>
  std::string answer_to(const std::string& body, const std::string& node,
                        Answer (StoreWriter::*method)(const Request&));
  std::shared_ptr<Reader> heard(const shared::v1::Reader& from);
  void load();
  std::shared_ptr<Job> begin(const shared::v1::RealiseRequest& request);
  void run(Job& job);
  // What is leased to a reader's holder on the disk, so that it ends when the reader does not tell of it.
  void note_lease(const std::string& node, const std::string& holder, const nix::StorePath& path);
  void release_what_is_not_told(Reader& reader);
  [[noreturn]] void fail_full(const std::string& node) const;

  store::LocalStore& store_;
  const Options options_;
  const std::filesystem::path directory_;
  std::optional<nix::StorePath> identity_;
  std::string identity_text_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Reader>> readers_;  // by name
  std::map<Sha256Digest, std::shared_ptr<Job>> jobs_;
};

}  // namespace flox::node
