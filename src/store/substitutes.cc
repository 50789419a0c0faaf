#include "store/substitutes.h"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>

#include "store/local_store.h"
#include "store/parallel.h"

namespace flox::store {
namespace {

constexpr std::string_view info_name = "nix-cache-info";

// Whether the path's name follows from its content address (nix.md 1.4); nothing if it is of another form.
std::optional<bool> proves_name(const PathInfo& info) {
  constexpr std::string_view form = "fixed:r:sha256:";
  if (!info.content_address || !info.content_address->starts_with(form)) return std::nullopt;
  const Sha256Digest hash = nix::parse_hash(std::string_view(*info.content_address).substr(form.size() - 7));
  nix::StorePathSet references = info.references;
  const bool self = references.erase(info.path) > 0;
  return nix::content_addressed_path(info.path.name(), hash, references, self) == info.path;
}

std::string signers(const PathInfo& info) {
  std::vector<std::string> names;
  for (const std::string& signature : info.signatures)
    names.push_back(signature.substr(0, signature.find(':')));
  return fmt::format("{}", fmt::join(names, ", "));
}

// Throws unless the options let us take the path from where this narinfo came.
void check_trust(PathInfo& info, const nix::TrustedKeys& keys, const RealiseOptions& options) {
  const std::optional<bool> proven = proves_name(info);
  if (proven == false)
    fail(ErrorKind::untrusted, "the content address {} does not belong to {}", *info.content_address,
         info.path.to_string());
  if (!proven) info.content_address.reset();
  if (!keys.signer_of(info).empty()) return;
  if (proven == true && options.trust_content_addressed) return;

  const std::vector<std::string> trusted = keys.names();
  const std::string names = signers(info);
  std::string problem = "it is not signed";
  if (!info.signatures.empty()) {
    const bool known = std::ranges::any_of(info.signatures, [&](const std::string& signature) {
      return std::ranges::find(trusted, signature.substr(0, signature.find(':'))) != trusted.end();
    });
    problem = known ? fmt::format("its signature by {} is wrong", names)
                    : fmt::format("it is signed by {}, whom we do not trust", names);
  }
  throw Error(ErrorKind::untrusted,
              fmt::format("{}; trusted keys: {}", problem,
                          trusted.empty() ? "none" : fmt::format("{}", fmt::join(trusted, ", "))),
              "Add the publisher's public key to trusted_keys in the configuration (FLOX_TRUSTED_KEYS).");
}

// One path on its way through the caches.
struct Question {
  StorePath path;
  size_t cache = 0;          // the one to ask next, or that has answered
  bool from_memory = false;  // what `answer` came from
  bool afresh = false;       // nothing of what is remembered counts
  bool remembered_absent = false;
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
  // Waits; nothing if all questions are settled or the search has failed.
  std::optional<Question> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || open_ == 0 || !questions_.empty(); });
    if (stopped_ || questions_.empty()) return std::nullopt;
    Question question = std::move(questions_.front());
    questions_.pop_front();
    return question;
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
  Search(const LocalStore& store, const RealiseOptions& options, CacheList& caches, NarinfoCache& memory)
      : store_(store), options_(options), caches_(caches), memory_(memory) {}

  std::vector<Substitute> run(const nix::StorePathSet& paths) {
    enqueue(paths);
    run_workers(
        worker_count(options_.workers),
        [&](unsigned) {
          while (auto question = agenda_->take())
            question->answer ? read(std::move(*question)) : ask(std::move(*question));
        },
        [&] { agenda_->stop(); });
    return std::move(found_);
  }

 private:
  void ask(Question question) {
    if (question.cache == 0 && !question.afresh && store_.is_valid(question.path)) return agenda_->settle();
    if (caches_.size() == 0)
      throw Error(
          ErrorKind::not_found,
          fmt::format("{} is not in the store, and no binary cache is configured", question.path.to_string()),
          "Name caches in the configuration (FLOX_CACHES), or build the path here.");
    const std::string name = BinaryCache::narinfo_name(question.path);
    for (; question.cache < caches_.size(); ++question.cache) {
      BinaryCache& cache = caches_.at(question.cache);
      if (const auto error = caches_.why_not(question.cache)) {
        question.reasons.add(*error);
        continue;
      }
      if (cache.is_remote() && !question.afresh) {
        if (auto known = memory_.find(cache.url(), name)) {
          question.from_memory = true;
          question.answer = CacheAnswer{.text = std::move(known->text), .error = std::nullopt};
          return read(std::move(question));
        }
      }
      question.from_memory = false;
      auto shared = std::make_shared<Question>(std::move(question));
      return cache.ask(name, [agenda = agenda_, shared](CacheAnswer answer) {
        shared->answer = std::move(answer);
        agenda->add(std::move(*shared), false);
      });
    }
    if (!question.remembered_absent) question.reasons.fail(question.path);
    ask(Question{.path = question.path, .afresh = true, .reasons = {}});
  }

  void read(Question question) {
    const CacheAnswer answer = *std::exchange(question.answer, std::nullopt);
    BinaryCache& cache = caches_.at(question.cache);
    if (answer.error) {
      question.reasons.add(*answer.error);
      if (answer.error->kind() == ErrorKind::unavailable) caches_.give_up(question.cache, *answer.error);
    } else {
      if (cache.is_remote() && !question.from_memory)
        memory_.remember(cache.url(), BinaryCache::narinfo_name(question.path), answer.text);
      if (answer.text && take_over(question, cache, *answer.text)) return agenda_->settle();
      if (!answer.text) {
        question.reasons.absent(cache.url());
        question.remembered_absent |= question.from_memory;
      }
    }
    ++question.cache;
    ask(std::move(question));
  }

  bool take_over(Question& question, const BinaryCache& cache, const std::string& text) {
    try {
      in_context("cache " + cache.url(), [&] {
        nix::NarInfo narinfo = BinaryCache::parse_narinfo(text, question.path);
        check_trust(narinfo.info, caches_.keys(question.cache), options_);
        enqueue(narinfo.info.references);
        const std::lock_guard lock(mutex_);
        found_.push_back({.narinfo = std::move(narinfo), .cache = question.cache});
      });
      return true;
    } catch (const Error& error) {
      question.reasons.add(error);
      question.remembered_absent |= question.from_memory;  // the cache may say something better now
      return false;
    }
  }

  void enqueue(const nix::StorePathSet& paths) {
    nix::StorePathSet fresh;
    {
      const std::lock_guard lock(mutex_);
      for (const StorePath& path : paths)
        if (seen_.insert(path).second) fresh.insert(path);
    }
    store_.add_temp_roots(fresh);  // before anybody looks whether they are valid
    for (const StorePath& path : fresh) agenda_->add(Question{.path = path, .reasons = {}}, true);
  }

  const LocalStore& store_;
  const RealiseOptions& options_;
  CacheList& caches_;
  NarinfoCache& memory_;
  std::shared_ptr<Agenda> agenda_ = std::make_shared<Agenda>();
  std::mutex mutex_;
  nix::StorePathSet seen_;
  std::vector<Substitute> found_;
};

// The value of a line "KEY: VALUE" of a nix-cache-info; empty if there is none.
std::string_view value_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(key) || line.substr(key.size(), 1) != ":") continue;
    line.remove_prefix(std::min(line.find_first_not_of(" \t", key.size() + 1), line.size()));
    return line.substr(0, line.find_last_not_of(" \t\r") + 1);
  }
  return {};
}

}  // namespace

CacheList::CacheList(const RealiseOptions& options, NarinfoCache& memory) {
  std::vector<std::future<CacheAnswer>> answers;
  for (const std::string& url : options.caches) {
    auto entry = std::make_unique<Entry>();
    entry->cache = BinaryCache::open(url);
    const CacheUrl& settings = entry->cache->settings();
    entry->keys =
        settings.trusted_keys.empty() ? options.trusted_keys : nix::TrustedKeys(settings.trusted_keys);
    auto promise = std::make_shared<std::promise<CacheAnswer>>();
    answers.push_back(promise->get_future());
    if (auto known = memory.find(entry->cache->url(), std::string(info_name)); known && known->text)
      promise->set_value({.text = std::move(known->text), .error = std::nullopt});
    else
      entry->cache->ask(std::string(info_name),
                        [promise](CacheAnswer answer) { promise->set_value(std::move(answer)); });
    entries_.push_back(std::move(entry));
  }
  for (size_t i = 0; i < entries_.size(); ++i) {
    const CacheAnswer answer = answers[i].get();
    Entry& entry = *entries_[i];
    try {
      read_info(entry, answer);
      if (answer.text && entry.cache->is_remote())
        memory.remember(entry.cache->url(), std::string(info_name), answer.text);
    } catch (const Error& error) {
      entry.error = error;
    }
    if (entry.cache->settings().priority) entry.priority = *entry.cache->settings().priority;
  }
  std::ranges::stable_sort(entries_, {},
                           [](const auto& entry) { return std::pair(!entry->mass_query, entry->priority); });
}

void CacheList::read_info(Entry& entry, const CacheAnswer& answer) {
  if (answer.error) throw Error(*answer.error);
  if (!answer.text) return;  // not every cache has one
  in_context("cache " + entry.cache->url() + ": nix-cache-info", [&] {
    if (const std::string_view directory = value_of(*answer.text, "StoreDir");
        !directory.empty() && directory != nix::store_dir)
      fail(ErrorKind::invalid_input, "it is a cache for the store directory {}, not for {}", directory,
           nix::store_dir);
    const std::string_view priority = value_of(*answer.text, "Priority");
    if (std::from_chars(priority.data(), priority.data() + priority.size(), entry.priority).ec !=
            std::errc() &&
        !priority.empty())
      fail(ErrorKind::invalid_input, "the priority '{}' is not a number", priority);
    entry.mass_query = value_of(*answer.text, "WantMassQuery") != "0";
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
                                    const RealiseOptions& options, Reasons& reasons) {
  if (const auto error = caches.why_not(index)) throw Error(*error);
  BinaryCache& cache = caches.at(index);
  auto narinfo = cache.query(path);
  if (!narinfo) {
    reasons.absent(cache.url());
    return std::nullopt;
  }
  in_context("cache " + cache.url(), [&] { check_trust(narinfo->info, caches.keys(index), options); });
  return narinfo;
}

std::vector<Substitute> find_missing(const LocalStore& store, const nix::StorePathSet& paths,
                                     const RealiseOptions& options, CacheList& caches, NarinfoCache& memory) {
  auto found = Search(store, options, caches, memory).run(paths);
  memory.flush();
  return found;
}

}  // namespace flox::store
