#include "store/fetch/substitutes.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>

#include "nix/cache_info.h"
#include "nix/cache_layout.h"
#include "store/local/parallel.h"

namespace flox::store {
namespace {

using nix::StorePath;

constexpr size_t at_once = 32;  // answers that the installer is shown together

// One path on its way through the caches.
struct Question {
  StorePath path;
  std::shared_ptr<const v1::Wanted> wanted;  // what is remembered of it
  size_t cache = 0;                          // the one to ask next, or that has answered
  bool from_memory = false;                  // what `answer` came from
  bool afresh = false;                       // nothing of what is remembered counts
  bool remembered_absent = false;
  bool is_cache_down = false;  // one of those that were asked
  bool is_absent = false;      // one of them says that it does not have it, or does not show it
  Reasons reasons;
  std::optional<CacheAnswer> answer;
};

// What is to be done, by whoever has time. Answers arrive here after the search is over, too.
class Agenda {
 public:
  void add(Question question, bool is_new) {
    const std::lock_guard lock(mutex_);
    if (is_new) ++open_;
    questions_.push_back(std::move(question));
    changed_.notify_one();
  }
  // Waits for some, at most `most`; none if all questions are settled or the search has failed.
  std::vector<Question> take(size_t most) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || open_ == 0 || !questions_.empty(); });
    std::vector<Question> taken;
    while (!stopped_ && taken.size() < most && !questions_.empty()) {
      taken.push_back(std::move(questions_.front()));
      questions_.pop_front();
    }
    return taken;
  }
  void settle() {
    const std::lock_guard lock(mutex_);
    if (--open_ == 0) changed_.notify_all();
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Question> questions_;
  size_t open_ = 0;  // not settled
  bool stopped_ = false;
};

// The search of a closure. The caches answer in their own time; the threads here read and verify the answers,
// and ask for what those refer to.
class Search {
 public:
  Search(const v1::FetchRequest& request, CacheList& caches, InstallerLink& installer)
      : request_(request), caches_(caches), installer_(installer) {}

  std::vector<Substitute> run() {
    enqueue({request_.wanted().begin(), request_.wanted().end()});
    run_workers(
        worker_count(request_.workers()),
        [&](unsigned) {
          for (auto questions = agenda_->take(at_once); !questions.empty();
               questions = agenda_->take(at_once))
            go_on_with(std::move(questions));
        },
        [&] { agenda_->stop(); });
    if (unanswered_) throw Error(*unanswered_);
    return std::move(found_);
  }

 private:
  void ask(Question question) {
    if (caches_.size() == 0 || caches_.is_peers(0))
      throw Error(
          ErrorKind::not_found,
          fmt::format("{} is not in the store, and no binary cache is configured", question.path.to_string()),
          "Name caches in the configuration (FLOX_CACHES), or build the path here.");
    const std::string name = nix::narinfo_name(question.path);
    for (; question.cache < caches_.size(); ++question.cache) {
      BinaryCache& cache = caches_.at(question.cache);
      // What a cache does not have, or does not show us, peers are not asked for, though another is down.
      if (caches_.is_peers(question.cache) && (question.is_absent || !question.is_cache_down)) continue;
      if (const auto error = caches_.why_not(question.cache)) {
        question.reasons.add(*error);
        question.is_cache_down |= error->kind() == ErrorKind::unavailable;
        continue;
      }
      if (const auto* known = remembered(question)) {
        question.from_memory = true;
        question.answer = CacheAnswer{.text = known->present() ? std::optional(known->text()) : std::nullopt,
                                      .error = std::nullopt};
        return agenda_->add(std::move(question), false);
      }
      question.from_memory = false;
      auto shared = std::make_shared<Question>(std::move(question));
      return cache.ask(name, [agenda = agenda_, shared](CacheAnswer answer) {
        shared->answer = std::move(answer);
        agenda->add(std::move(*shared), false);
      });
    }
    if (!question.remembered_absent) {
      if (!request_.only_ask()) question.reasons.fail(question.path);
      if (question.is_cache_down) note_unanswered(question);
      return agenda_->settle();
    }
    ask(Question{.path = question.path, .wanted = question.wanted, .afresh = true, .reasons = {}});
  }

  // Who only asks learns first what was answered of all others.
  void note_unanswered(const Question& question) {
    const std::lock_guard lock(mutex_);
    if (unanswered_) return;
    try {
      question.reasons.fail(question.path);
    } catch (const Error& error) {
      unanswered_ = error;
    }
  }

  const v1::Remembered* remembered(const Question& question) const {
    if (question.afresh) return nullptr;
    for (const v1::Remembered& known : question.wanted->remembered())
      if (known.cache() == caches_.number(question.cache)) return &known;
    return nullptr;
  }

  struct Offered {
    Question question;
    nix::NarInfo narinfo;
  };

  void go_on_with(std::vector<Question> questions) {
    std::vector<Offered> offered;
    for (Question& question : questions) {
      if (!question.answer)
        ask(std::move(question));
      else if (auto narinfo = read(question))
        offered.push_back({std::move(question), std::move(*narinfo)});
      else
        ask_next(std::move(question));
    }
    if (!offered.empty()) offer(std::move(offered));
  }

  // What the cache has of it, if it has something that can be used.
  std::optional<nix::NarInfo> read(Question& question) {
    const CacheAnswer answer = *std::exchange(question.answer, std::nullopt);
    const BinaryCache& cache = caches_.at(question.cache);
    if (answer.error) {
      question.reasons.add(*answer.error);
      question.is_cache_down |= answer.error->kind() == ErrorKind::unavailable;
      if (answer.error->kind() == ErrorKind::unavailable) caches_.give_up(question.cache, *answer.error);
      return std::nullopt;
    }
    if (!answer.text) {
      if (cache.is_remote() && !question.from_memory)
        installer_.tell_absent(caches_.number(question.cache), question.path);
      question.reasons.absent(cache.url());
      question.is_absent = true;
      question.remembered_absent |= question.from_memory;
      return std::nullopt;
    }
    try {
      return in_context("cache " + cache.url(),
                        [&] { return nix::NarInfo::parse(*answer.text, question.path); });
    } catch (const Error& error) {
      refused(question, error);
      return std::nullopt;
    }
  }

  void offer(std::vector<Offered> offered) {
    std::vector<InstallerLink::Offer> offers;
    for (const auto& [question, narinfo] : offered)
      offers.push_back({caches_.number(question.cache), &narinfo, question.from_memory});
    auto results = installer_.offer(offers);
    for (size_t i = 0; i < offered.size(); ++i) {
      auto& [question, narinfo] = offered[i];
      if (results[i].refused) {
        refused(question, results[i].refused->with_context("cache " + caches_.at(question.cache).url()));
        ask_next(std::move(question));
        continue;
      }
      enqueue(std::move(results[i].wanted));
      {
        const std::lock_guard lock(mutex_);
        found_.push_back(
            {.narinfo = std::move(narinfo), .cache = question.cache, .has_base = results[i].has_base});
      }
      agenda_->settle();
    }
  }

  static void refused(Question& question, const Error& error) {
    question.reasons.add(error);
    question.remembered_absent |= question.from_memory;  // the cache may say something better now
  }

  void ask_next(Question question) {
    ++question.cache;
    ask(std::move(question));
  }

  void enqueue(std::vector<v1::Wanted> wanted) {
    for (v1::Wanted& entry : wanted) {
      StorePath path = StorePath::from_base_name(entry.path());
      agenda_->add(Question{.path = std::move(path),
                            .wanted = std::make_shared<const v1::Wanted>(std::move(entry)),
                            .reasons = {}},
                   true);
    }
  }

  const v1::FetchRequest& request_;
  CacheList& caches_;
  InstallerLink& installer_;
  std::shared_ptr<Agenda> agenda_ = std::make_shared<Agenda>();
  std::mutex mutex_;
  std::vector<Substitute> found_;
  std::optional<Error> unanswered_;  // the first
};

}  // namespace

CacheList::CacheList(const v1::FetchRequest& request) {
  for (const v1::FetchRequest::Cache& named : request.caches()) {
    auto entry = std::make_unique<Entry>();
    entry->cache = BinaryCache::open(named.url());
    entry->number = entries_.size();
    entry->known_info = named.info();
    entries_.push_back(std::move(entry));
  }
}

void CacheList::add_peers(std::unique_ptr<BinaryCache> peers) {
  auto entry = std::make_unique<Entry>();
  entry->cache = std::move(peers);
  entry->number = entries_.size();
  entry->is_peers = true;
  entries_.push_back(std::move(entry));
}

void CacheList::read_infos(InstallerLink& installer) {
  std::vector<std::future<CacheAnswer>> answers;
  for (const auto& entry : entries_) {
    auto promise = std::make_shared<std::promise<CacheAnswer>>();
    answers.push_back(promise->get_future());
    if (!entry->known_info.empty())
      promise->set_value({.text = entry->known_info, .error = std::nullopt});
    else
      entry->cache->ask(std::string(nix::cache_info_name),
                        [promise](CacheAnswer answer) { promise->set_value(std::move(answer)); });
  }
  for (size_t i = 0; i < entries_.size(); ++i) {
    const CacheAnswer answer = answers[i].get();
    Entry& entry = *entries_[i];
    try {
      read_info(entry, answer);
      if (answer.text && entry.known_info.empty()) installer.tell_info(i, entry.priority);
    } catch (const Error& error) {
      entry.error = error;
    }
    if (entry.cache->settings().priority) entry.priority = *entry.cache->settings().priority;
  }
  std::ranges::stable_sort(entries_, {},
                           [](const auto& entry) { return std::pair(entry->is_peers, entry->priority); });
}

void CacheList::read_info(Entry& entry, const CacheAnswer& answer) {
  if (answer.error) throw Error(*answer.error);
  if (!answer.text) return;  // not every cache has one
  in_context(fmt::format("cache {}: {}", entry.cache->url(), nix::cache_info_name), [&] {
    const auto info = nix::CacheInfo::parse(*answer.text);
    if (info.store_directory != nix::store_dir)
      fail(ErrorKind::invalid_input, "it is a cache for the store directory {}, not for {}",
           info.store_directory, nix::store_dir);
    entry.priority = info.priority;
  });
}

std::optional<Error> CacheList::why_not(size_t index) const {
  const Entry& entry = *entries_.at(index);
  const std::lock_guard lock(entry.mutex);
  return entry.error;
}

void CacheList::give_up(size_t index, const Error& error) {
  Entry& entry = *entries_.at(index);
  const std::lock_guard lock(entry.mutex);
  if (!entry.error) entry.error = error;
}

void Reasons::add(const Error& error) { errors_.push_back(error); }

void Reasons::absent(const std::string& cache_url) {
  errors_.emplace_back(ErrorKind::not_found, fmt::format("cache {}: does not have it", cache_url));
}

void Reasons::fail(const nix::StorePath& path) const {
  ErrorKind kind = ErrorKind::not_found;
  std::string text;
  std::string advice;
  for (const Error& error : errors_) {
    text += fmt::format("{}{}", text.empty() ? "" : "; ", error.what());
    if (advice.empty()) advice = error.advice();
    if (error.kind() == ErrorKind::untrusted || error.kind() == ErrorKind::invalid_input)
      kind = ErrorKind::untrusted;
    if (error.kind() != ErrorKind::not_found && kind != ErrorKind::untrusted) kind = ErrorKind::unavailable;
  }
  throw Error(kind, fmt::format("{}: {}", path.to_string(), text), advice);
}

std::optional<nix::NarInfo> find_at(CacheList& caches, size_t index, const nix::StorePath& path,
                                    InstallerLink& installer, Reasons& reasons) {
  if (const auto error = caches.why_not(index)) throw Error(*error);
  BinaryCache& cache = caches.at(index);
  auto narinfo = cache.query(path);
  if (!narinfo) {
    reasons.absent(cache.url());
    return std::nullopt;
  }
  if (const auto refused = installer.offer({{caches.number(index), &*narinfo, false}}).front().refused)
    throw refused->with_context("cache " + cache.url());
  return narinfo;
}

std::vector<Substitute> find_missing(const v1::FetchRequest& request, CacheList& caches,
                                     InstallerLink& installer) {
  return Search(request, caches, installer).run();
}

}  // namespace flox::store
