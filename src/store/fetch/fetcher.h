// The fetcher: the confined process in which all bytes of caches are read (docs/explanation/isolation.md),
// and how a realisation uses it.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/confined/confined.h"
#include "store/fetch/installer.h"
#include "store/fetch/realise_options.h"

namespace flox::store {

// Makes the job known; for main(), before run_confined_job().
void add_fetcher_job();

// What holds a fetcher of these options that may write to those directories.
Sandbox fetcher_sandbox(const std::vector<std::filesystem::path>& directories, const RealiseOptions& options);

// A worker for run_fetcher(), waiting or new: whoever has other things to prepare starts it before. Throws
// Error.
std::unique_ptr<ConfinedWorker> start_fetcher(const RealiseOptions& options);
// Fetches what is missing of the paths' closures into the installer's staging. Throws Error: the fetcher's
// own, and unavailable if it died or did not end in time.
void run_fetcher(Installer& installer, const StorePathSet& paths, const RealiseOptions& options,
                 std::unique_ptr<ConfinedWorker> worker = nullptr);
// Who answers a fetcher: as ConfinedRequest has it.
struct FetcherSide {
  std::vector<std::filesystem::path> directories;  // where it may write
  std::function<std::string(std::string_view)> on_call;
  std::function<void(std::string_view)> on_note = [](std::string_view) {};
  std::function<void()> on_end = [] {};
};
// The same for any work.
void run_fetcher(const v1::FetchRequest& work, const RealiseOptions& options, FetcherSide side,
                 std::unique_ptr<ConfinedWorker> worker = nullptr);

// A fetcher that is started before it is needed, so that whoever asks does not wait for a program's start.
// Thread-safe.
class FetcherPool {
 public:
  // Starts the first one. `variables`: as ConfinedWorker.
  explicit FetcherPool(std::vector<std::string> variables);
  ~FetcherPool();
  FetcherPool(const FetcherPool&) = delete;
  FetcherPool& operator=(const FetcherPool&) = delete;

  // The idle one, or a new one. The next is started after a pause, when the request has got going.
  std::unique_ptr<ConfinedWorker> take();
  const std::vector<std::string>& variables() const noexcept { return variables_; }

 private:
  void run();

  const std::vector<std::string> variables_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<ConfinedWorker> idle_;
  bool stop_ = false;
  std::thread
      thread_;  // of all that is idle: a worker ends with the thread that started it (PR_SET_PDEATHSIG)
};

// The TCP ports that a client of these URLs (of caches, or http) connects to; none, which means any, if a
// proxy is between, which may listen anywhere.
std::vector<uint16_t> ports_of(const std::vector<std::string>& urls);
// The files and directories that a client of these caches reads: those of every client of a network, and
// what file:// caches consist of.
std::vector<std::filesystem::path> readable_for(const std::vector<std::string>& urls);
// The environment variables that these caches need ("AWS_*" for s3://).
std::vector<std::string> variables_of_caches(const std::vector<std::string>& urls);

}  // namespace flox::store
