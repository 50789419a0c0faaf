#include "server/files/collector.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "nix/cache_layout.h"

namespace flox::server {
namespace {

constexpr int most_markings = 20;  // while others publish
constexpr size_t read_at_once = 500;

}  // namespace

// Reads the narinfos that are not known yet; `found` gets their digests.
void Collector::read_new(std::vector<std::string>* found) {
  std::vector<std::string> digests, names;
  std::vector<bool> young;
  cache_.store_.list_narinfos([&](const std::string& name, const ObjectStatus& status) {
    const auto digest = nix::digest_of_narinfo_name(name);
    if (!digest || paths_.contains(*digest)) return;
    digests.emplace_back(*digest);
    names.push_back(name);
    young.push_back(status.modified >= before_);
  });
  for (size_t first = 0; first < names.size(); first += read_at_once) {
    const size_t end = std::min(first + read_at_once, names.size());
    const std::vector<std::string> now(names.begin() + static_cast<ptrdiff_t>(first),
                                       names.begin() + static_cast<ptrdiff_t>(end));
    const auto objects = cache_.store_.read_all(now, nix::max_narinfo_size);
    for (size_t i = first; i < end; ++i) {
      const auto& object = objects[i - first];
      if (!object) continue;
      Path path{.references = {},
                .nar = {},
                .index = nix::NarInfo::index_in(object->text),
                .size = object->text.size(),
                .is_young = young[i],
                .is_needed = false};
      try {
        const nix::NarInfo narinfo = nix::NarInfo::parse(object->text);
        for (const auto& reference : narinfo.info.references)
          path.references.emplace_back(reference.digest());
        path.nar = narinfo.url;
      } catch (const Error& error) {
        log::warning("{} is kept: {}", names[i], error.what());
        path.is_young = true;  // nobody knows what it needs
        path.nar = nix::NarInfo::url_in(object->text);
      }
      ++nars_[path.nar];
      if (!path.index.empty()) ++nars_[path.index];
      paths_.emplace(digests[i], std::move(path));
      if (found != nullptr) found->push_back(digests[i]);
    }
  }
}

// A removal that was interrupted after the file went has left who might read it: whoever uploads it again
// says so anew.
void Collector::end_interrupted() {
  for (const auto& digest : cache_.nars_.marks().marked())
    if (!paths_.contains(digest))
      cache_.nars_.marks().remove(digest, cache_.store_.is_shared(), now_,
                                  [&] { cache_.remove_file(nix::narinfo_name(digest)); });
}

// These, and all that they refer to.
void Collector::mark_needed(std::vector<std::string> open) {
  while (!open.empty()) {
    const auto path = paths_.find(open.back());
    open.pop_back();
    if (path == paths_.end() || path->second.is_needed) continue;
    path->second.is_needed = true;
    open.insert(open.end(), path->second.references.begin(), path->second.references.end());
  }
}

// What refers to a path goes before it: of what is there all that it needs is there, at every moment.
std::vector<std::string> Collector::unneeded() const {
  std::vector<std::string> after;  // references first
  std::set<std::string_view> seen;
  struct Step {
    const std::string* digest;
    const Path* path;
    size_t next;
  };
  for (const auto& [digest, path] : paths_) {
    if (path.is_needed || !seen.insert(digest).second) continue;
    std::vector<Step> steps = {{&digest, &path, 0}};
    while (!steps.empty()) {
      Step& step = steps.back();
      if (step.next == step.path->references.size()) {
        after.push_back(*step.digest);
        steps.pop_back();
        continue;
      }
      const auto reference = paths_.find(step.path->references[step.next++]);
      if (reference != paths_.end() && !reference->second.is_needed && seen.insert(reference->first).second)
        steps.push_back({&reference->first, &reference->second, 0});
    }
  }
  std::ranges::reverse(after);
  return after;
}

// Paths that were uploaded since the list was made keep what they refer to.
void Collector::keep_what_came() {
  std::vector<std::string> came;
  read_new(&came);
  if (came.empty()) return;
  std::vector<std::string> kept;
  std::set<std::string> was_needed;
  for (const auto& [digest, path] : paths_)
    if (path.is_needed) was_needed.insert(digest);
  mark_needed(came);
  for (const auto& [digest, path] : paths_)
    if (path.is_needed && !was_needed.contains(digest)) kept.push_back(digest);
  cache_.nars_.marks().keep([&] { return RemovalMarks::Needed{.digests = kept}; });
}

bool Collector::remove_file(const std::string& name, Collected& collected) {
  const auto status = cache_.store_.status(name);
  const bool is_gone = cache_.nars_.remove_unnamed(name, before_, now_, cache_.store_.is_shared(),
                                                   [&] { cache_.remove_file(name); });
  if (!is_gone || !status) return false;
  cache_.forget(status->size);
  removed_(name);
  collected.bytes += status->size;
  return true;
}

void Collector::remove(const std::vector<std::string>& digests, Collected& collected) {
  for (const auto& digest : digests) {
    const auto path = paths_.find(digest);
    const std::string name = nix::narinfo_name(digest);
    if (!cache_.nars_.marks().remove(digest, cache_.store_.is_shared(), now_,
                                     [&] { cache_.remove_file(name); }))
      continue;  // somebody needs it now
    cache_.forget(path->second.size);
    removed_(name);
    ++collected.paths;
    collected.bytes += path->second.size;
    if (--nars_[path->second.nar] == 0 && remove_file(path->second.nar, collected)) ++collected.nars;
    if (const std::string& index = path->second.index; !index.empty() && --nars_[index] == 0)
      remove_file(index, collected);
  }
}

Collected Collector::run(bool is_dry, Clock::time_point before, Clock::time_point now) {
  paths_.clear();
  nars_.clear();
  before_ = before;
  now_ = now;
  RemovalMarks& marks = cache_.nars_.marks();
  read_new(nullptr);
  if (!is_dry) end_interrupted();
  Collected collected;
  for (int attempt = 1;; ++attempt) {
    const int64_t publications = marks.publications();
    std::vector<std::string> open;
    roots_([&](std::string_view digest) {
      if (const auto path = paths_.find(digest); path != paths_.end() && !path->second.is_needed)
        open.emplace_back(digest);
    });
    mark_needed(std::move(open));
    collected.kept_paths = static_cast<uint64_t>(
        std::ranges::count_if(paths_, [](const auto& path) { return path.second.is_needed; }));
    std::vector<std::string> young;
    for (const auto& [digest, path] : paths_)
      if (path.is_young) young.push_back(digest);
    mark_needed(std::move(young));
    collected.kept_young = static_cast<uint64_t>(std::ranges::count_if(
                               paths_, [](const auto& path) { return path.second.is_needed; })) -
                           collected.kept_paths;
    const std::vector<std::string> digests = unneeded();
    if (is_dry) {
      std::map<std::string, size_t, std::less<>> left = nars_;
      for (const auto& digest : digests) {
        const Path& path = paths_.find(digest)->second;
        ++collected.paths;
        collected.bytes += path.size;
        const auto forget = [&](const std::string& file) {
          if (file.empty() || --left[file] > 0) return false;
          if (const auto status = cache_.store_.status(file)) collected.bytes += status->size;
          return true;
        };
        if (forget(path.nar)) ++collected.nars;
        forget(path.index);
      }
      return collected;
    }
    if (digests.empty()) {
      marks.clear();
      return collected;
    }
    if (marks.mark(digests, publications)) {
      keep_what_came();
      remove(digests, collected);
      return collected;
    }
    if (attempt == most_markings)
      throw Error(ErrorKind::unavailable, "collecting garbage: somebody publishes all the time",
                  "Try again later.");
  }
}

}  // namespace flox::server
