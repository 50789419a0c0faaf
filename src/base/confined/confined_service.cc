#include "base/confined/confined_service.h"

#include <cstring>

#include "base/confined/confined_frame.h"
#include "base/error.h"

namespace flox {
namespace {

// What a thread of the process sends: nothing at first, then
//
//   answer = number (4 bytes, the machine's order) kind (1 byte: '+' an answer, '-' an error) text
//
// and what it is sent: number question, or nothing at the end.
constexpr size_t number_size = sizeof(uint32_t);

std::string with_number(uint32_t number, std::string_view text) {
  std::string message(number_size, '\0');
  std::memcpy(message.data(), &number, number_size);
  return message += text;
}

uint32_t take_number(std::string_view& message) {
  uint32_t number = 0;
  if (message.size() < number_size) fail(ErrorKind::invalid_input, "a message is cut off");
  std::memcpy(&number, message.data(), number_size);
  message.remove_prefix(number_size);
  return number;
}

std::string answer_to(const ConfinedAnswer& answer, std::string_view question) {
  try {
    return '+' + answer(question);
  } catch (const std::exception& error) {
    return '-' + confined::pack(confined::error_of_job(error));
  }
}

void answer_in_turn(ConfinedChannel& channel, const ConfinedAnswer& answer) {
  std::string given = channel.call({});
  while (!given.empty()) {
    std::string_view question = given;
    const uint32_t number = take_number(question);
    given = channel.call(with_number(number, answer_to(answer, question)));
  }
}

}  // namespace

void answer_questions(ConfinedChannel& channel, const std::vector<ConfinedAnswer>& threads) {
  std::vector<std::future<void>> others;
  for (size_t i = 1; i < threads.size(); ++i)
    others.push_back(std::async(std::launch::async, [&, i] { answer_in_turn(channel, threads[i]); }));
  answer_in_turn(channel, threads.at(0));
  for (auto& other : others) other.get();
}

ConfinedService::ConfinedService(Options options)
    : options_(std::move(options)), thread_([this] { run(); }) {}

ConfinedService::~ConfinedService() {
  stop();
  thread_.join();
}

void ConfinedService::stop() {
  const std::lock_guard lock(mutex_);
  stop_ = true;
  if (worker_ != nullptr) worker_->cancel();
  for (ConfinedWorker* const worker : alone_) worker->cancel();
  leave_unanswered(waiting_);
  leave_asked_unanswered();
  changed_.notify_all();
}

void ConfinedService::check_goes_on() const {
  if (stop_) fail(ErrorKind::unavailable, "this program is stopping");
}

std::string ConfinedService::ask(const std::string& question) {
  std::future<std::string> answer;
  {
    const std::lock_guard lock(mutex_);
    check_goes_on();
    if (waiting_.size() + asked_.size() < options_.threads) {
      answer = waiting_.emplace_back(Asked{question, {}}).answer.get_future();
      changed_.notify_all();
    }
  }
  if (!answer.valid()) return ask_alone(question);
  if (answer.wait_for(options_.request.deadline) != std::future_status::ready) {
    end_life();  // it hangs; all whom it owes an answer hear of it
    fail(ErrorKind::unavailable, "there was no answer within {} s",
         std::chrono::duration_cast<std::chrono::seconds>(options_.request.deadline).count());
  }
  try {
    return answer.get();
  } catch (const Unanswered&) {
    return ask_alone(question);
  }
}

std::string ConfinedService::ask_alone(const std::string& question) {
  {
    const std::lock_guard lock(mutex_);
    check_goes_on();
  }
  std::mutex mutex;
  bool given = false;
  std::optional<std::string> answer;
  std::optional<Error> failure;
  ConfinedRequest request = options_.request;
  request.on_call = [&](std::string_view message) {
    const std::lock_guard lock(mutex);
    if (!message.empty()) {
      take_number(message);
      if (message.starts_with('+'))
        answer = message.substr(1);
      else
        failure = confined::unpack_error(message.substr(std::min<size_t>(1, message.size())));
    }
    return std::exchange(given, true) ? std::string() : with_number(0, question);
  };
  const auto worker = options_.start();
  {
    const std::lock_guard lock(mutex_);
    check_goes_on();
    alone_.insert(worker.get());
  }
  const auto forget = [&] {
    const std::lock_guard lock(mutex_);
    alone_.erase(worker.get());
    if (!answer && !failure) check_goes_on();
  };
  try {
    worker->serve(request);
  } catch (const std::exception&) {
    forget();
    throw;
  }
  forget();
  if (failure) throw Error(*failure);
  if (!answer) fail(ErrorKind::unavailable, "the fetcher ended without an answer");
  return std::move(*answer);
}

void ConfinedService::leave_unanswered(std::deque<Asked>& questions) {
  for (auto& asked : questions) asked.answer.set_exception(std::make_exception_ptr(Unanswered()));
  questions.clear();
}

void ConfinedService::leave_asked_unanswered() {
  for (auto& [number, asked] : asked_) asked.answer.set_exception(std::make_exception_ptr(Unanswered()));
  asked_.clear();
}

void ConfinedService::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
    if (stop_) break;
    is_over_ = false;
    life_ends_.reset();
    lock.unlock();
    bool has_failed = false;
    try {
      serve_one_life();
    } catch (const std::exception&) {  // who asks alone hears why
      has_failed = true;
    }
    lock.lock();
    // Those that came after the last thread had been sent home wait for the next life.
    if (has_failed) leave_unanswered(waiting_);
    leave_asked_unanswered();
  }
  leave_unanswered(waiting_);
}

void ConfinedService::serve_one_life() {
  const auto worker = options_.start();
  // Known to others while it lives, and not a moment longer: they may cancel it.
  const auto announce = [this](ConfinedWorker* now) {
    const std::lock_guard lock(mutex_);
    worker_ = now;
    return !stop_;
  };
  const std::shared_ptr<void> forget(nullptr, [&](void*) { announce(nullptr); });
  if (!announce(worker.get())) return;
  ConfinedRequest request = options_.request;
  request.handlers = options_.threads + 1;  // one always reads, and sees the process's end
  // Beyond the last question's: whoever asks keeps the time.
  request.deadline = options_.life + 2 * options_.request.deadline;
  request.on_call = [this](std::string_view message) { return next(message); };
  request.on_end = [this] {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    changed_.notify_all();
  };
  worker->serve(request);
}

std::string ConfinedService::next(std::string_view message) {
  std::unique_lock lock(mutex_);
  if (!message.empty()) {
    auto asked = asked_.extract(take_number(message));
    if (asked.empty() || message.empty()) fail(ErrorKind::invalid_input, "an answer that nobody waits for");
    if (message.front() == '+')
      asked.mapped().answer.set_value(std::string(message.substr(1)));
    else
      asked.mapped().answer.set_exception(std::make_exception_ptr(confined::unpack_error(message.substr(1))));
  }
  const auto has_news = [&] { return is_over_ || stop_ || !waiting_.empty(); };
  if (life_ends_)
    changed_.wait_until(lock, *life_ends_, has_news);
  else
    changed_.wait(lock, has_news);
  const auto now = std::chrono::steady_clock::now();
  if (is_over_ || stop_ || waiting_.empty() || (life_ends_ && now >= *life_ends_)) return {};
  if (!life_ends_) life_ends_ = now + options_.life;
  Asked asked = std::move(waiting_.front());
  waiting_.pop_front();
  std::string given = with_number(++last_number_, asked.question);
  asked_.emplace(last_number_, std::move(asked));
  return given;
}

void ConfinedService::end_life() {
  const std::lock_guard lock(mutex_);
  is_over_ = true;
  if (worker_ != nullptr) worker_->cancel();
  changed_.notify_all();
}

}  // namespace flox
