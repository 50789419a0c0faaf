// A confined process that answers many questions: for work where to start a process for each question would
// be most of the time. It keeps its connections from one to the next, and ends after its `life`.
//
// It fetches its questions. Each of its threads calls the starter with its last answer and is answered with
// the next question, so that the starter still only ever answers (confined.h). Whoever has taken the process
// over can answer falsely what it is asked until its life ends, and nothing else.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/confined/confined.h"

namespace flox {

// --- in the process

// A question to its answer; what it throws as an Error is thrown to who asked.
using ConfinedAnswer = std::function<std::string(std::string_view question)>;
// The rest of a job, after ConfinedChannel::confine(): answers with a thread for each of the functions until
// the starter has no more questions.
void answer_questions(ConfinedChannel& channel, const std::vector<ConfinedAnswer>& threads);

// --- in its starter

// Thread-safe.
class ConfinedService {
 public:
  struct Options {
    ConfinedRequest request;  // `deadline` is a question's; handlers and callbacks are the service's own
    std::function<std::unique_ptr<ConfinedWorker>()> start;
    unsigned threads = 4;  // questions at once to one process: as many as the job has functions
    std::chrono::milliseconds life = std::chrono::seconds(30);  // from its first question on
  };
  // Starts its thread, and the process with the first question.
  explicit ConfinedService(Options options);
  ~ConfinedService();
  ConfinedService(const ConfinedService&) = delete;
  ConfinedService& operator=(const ConfinedService&) = delete;

  // Asks, and waits. A question (not empty) that the process cannot take now, because all its threads have
  // one, or that it did not live to answer, because of what it read for another, is asked in a process of its
  // own. Throws the answer's Error; unavailable if that process died, or did not answer in time.
  std::string ask(const std::string& question);
  // Ends: whoever waits for an answer, or asks from now on, hears Error(unavailable).
  void stop();

 private:
  struct Asked {
    std::string question;
    std::promise<std::string> answer;
  };
  // Thrown to ask(): nothing is known of the question.
  struct Unanswered {};

  std::string ask_alone(const std::string& question);
  void check_goes_on() const;  // under the mutex
  static void leave_unanswered(std::deque<Asked>& questions);
  void leave_asked_unanswered();  // under the mutex
  void run();
  void serve_one_life();
  // A thread of the process has sent the answer to its last question, if it had one; gives it the next, or
  // nothing at the end of its life.
  std::string next(std::string_view message);
  void end_life();

  const Options options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Asked> waiting_;
  std::map<uint32_t, Asked> asked_;  // by number: given to the process
  uint32_t last_number_ = 0;
  std::optional<std::chrono::steady_clock::time_point> life_ends_;  // from its first question on
  bool is_over_ = false;                                            // its life, before its time
  ConfinedWorker* worker_ = nullptr;                                // while it lives
  std::set<ConfinedWorker*> alone_;  // others that live, each with one question
  bool stop_ = false;
  std::thread thread_;  // the process ends with the thread that started it
};

}  // namespace flox
