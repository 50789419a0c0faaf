// What floxd does for containers that start, and did for the last ones: what each stage took, what a start
// waits for and how it ended. For people who ask why a pod does not start
// (docs/how-to/find-out-why-a-pod-does-not-start.md).
//
// In memory only, and little of it: a floxd that is restarted knows the starts that come after.
#pragma once

#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "node/floxd/lazy_progress.h"
#include "protocol/node.pb.h"
#include "store/fetch/realise_options.h"

namespace flox::node {

// Thread-safe.
class StartLog {
 public:
  using Clock = std::chrono::system_clock;
  // Of starts that have ended, for each namespace; and of all of them together. The namespace with the most
  // gives way.
  static constexpr size_t most_of_namespace = 128;
  static constexpr size_t most = 1024;

  enum class State { waiting, running, prepared, failed };
  enum class Wait { none, turn, same };
  struct Stage {
    std::string_view name;
    Clock::time_point began;
    std::chrono::steady_clock::time_point since;
    std::chrono::microseconds took{};  // once it is over
    bool is_over = false;
    bool has_failed = false;
  };
  struct Record {
    std::string container_id, pod_namespace, pod_name, pod_uid, container_name, environment, trace_id;
    Clock::time_point asked_at;
    Clock::time_point ended_at{};  // the epoch: it is under way
    State state = State::waiting;
    Wait wait = Wait::turn;
    std::string error, advice, profile;
    std::string lazy;  // "lazy", or why it was not started so though it was asked for; empty: nobody asked
    // Of one that is "lazy". What comes of it goes on when the start has ended.
    LazyBegin lazy_begin;
    std::shared_ptr<const LazyProgress> lazy_progress;  // else null
    std::vector<Stage> stages;
    store::RealiseProgress progress;

    bool is_under_way() const noexcept { return state == State::waiting || state == State::running; }
  };

  // One start, from its request to its end: the log forgets one that goes without an end.
  class Start {
   public:
    explicit Start(StartLog& log) : log_(log) {}
    Start(const Start&) = delete;
    Start& operator=(const Start&) = delete;
    ~Start();

    // That of this thread; null: none.
    static Start* current() noexcept;
    // Makes it this thread's; it has its turn.
    class Turn {
     public:
      explicit Turn(Start& start);
      Turn(const Turn&) = delete;
      Turn& operator=(const Turn&) = delete;
      ~Turn();

     private:
      Start* const outer_;
    };
    // While it exists, this thread's start, if there is one, waits for another of the same environment.
    class WaitsForSame {
     public:
      WaitsForSame();
      WaitsForSame(const WaitsForSame&) = delete;
      WaitsForSame& operator=(const WaitsForSame&) = delete;
      ~WaitsForSame();
    };

    void belongs_to(std::string trace_id);
    // `name` lives for ever. Gives what stage_ended takes.
    size_t stage_began(std::string_view name);
    void stage_ended(size_t stage, bool has_failed);
    void progress(const store::RealiseProgress& progress);
    // It waits for all of its files though it was not to.
    void eager(std::string why);
    void lazy(const LazyBegin& begin, std::shared_ptr<const LazyProgress> progress);
    void prepared(std::string profile);
    void failed(const std::exception& error);

   private:
    friend class StartLog;
    void set_wait(Wait wait);
    StartLog& log_;
    std::optional<std::list<Record>::iterator> record_;  // under the log's mutex; nothing: it has ended
  };

  // A container is to be started, which waits for its turn until then. The log outlives the start.
  std::shared_ptr<Start> begin(const v1::PrepareRequest& request);
  // All, the earliest first.
  std::vector<Record> starts() const;
  size_t under_way() const;

 private:
  void end(Start& start, State state);  // under the mutex
  void make_room(const std::string& pod_namespace);

  mutable std::mutex mutex_;
  std::list<Record> records_;                   // in the order in which they were asked for
  std::map<std::string, size_t> of_namespace_;  // those that have ended
  size_t ended_ = 0;
};

std::string_view to_string(StartLog::State state) noexcept;

}  // namespace flox::node
