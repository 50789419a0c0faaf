#include "server/transfer/copy_paths.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "nix/cache_layout.h"
#include "server/files/index_check.h"
#include "store/local/parallel.h"
#include "store/local/reference_order.h"

namespace flox::server {
namespace {

class PathCopier {
 public:
  PathCopier(store::BinaryCache& from, CacheFiles& to, const CopyOptions& options)
      : from_(from), to_(to), options_(options) {}

  CopiedPaths run(const nix::StorePathSet& paths) {
    find(paths);
    std::vector<nix::PathInfo> infos;
    infos.reserve(missing_.size());
    for (const auto& [path, narinfo] : missing_) infos.push_back(narinfo.info);
    const auto order = store::in_reference_order(infos);
    copy_nars();
    for (const nix::PathInfo* info : order) write_without_false_index(missing_.at(info->path));
    return result_;
  }

 private:
  // What is to be copied.
  void find(const nix::StorePathSet& paths) {
    nix::StorePathSet seen = paths;
    std::vector<nix::StorePath> open(paths.begin(), paths.end());
    while (!open.empty()) {
      const nix::StorePath path = open.back();
      open.pop_back();
      auto present = to_.narinfo(path);
      const bool is_readable =
          present && options_.access.unreadable({nix::narinfo_name(path), present->url}).empty();
      if (is_readable && !options_.merge_signatures && !options_.compare_present) {
        ++result_.present;
        continue;
      }
      auto narinfo = from_.query(path);
      if (!narinfo && is_readable && !options_.merge_signatures) narinfo = present;
      if (!narinfo)
        throw Error(ErrorKind::not_found, fmt::format("{} is not in {}", path.to_string(), from_.url()),
                    "Name a cache that has the whole closure.");
      for (const auto& reference : narinfo->info.references)
        if (seen.insert(reference).second) open.push_back(reference);
      if (present && present->info.fingerprint() != narinfo->info.fingerprint())
        throw Error(ErrorKind::conflict,
                    fmt::format("{} is here already, with other content", path.to_string()),
                    "Ask the source's publisher for a build under another store path: a store path never "
                    "changes.");
      if (is_readable) {
        ++result_.present;
        if (!options_.merge_signatures) continue;
        // Its NAR stays as it is here.
        present->info.signatures = std::move(narinfo->info.signatures);
        narinfo = std::move(present);
      } else {
        ++result_.copied;
        wanted_.push_back(path);
      }
      missing_.emplace(path, *std::move(narinfo));
    }
  }

  void copy_nars() {
    std::atomic<size_t> next = 0;
    std::atomic<bool> stop = false;
    store::run_workers(
        static_cast<unsigned>(std::min<size_t>(options_.workers, wanted_.size())),
        [&](unsigned) {
          const auto own = from_.clone();
          for (size_t i; !stop && (i = next++) < wanted_.size();) copy_nar(*own, missing_.at(wanted_[i]));
        },
        [&] { stop = true; });
  }

  void copy_nar(store::BinaryCache& from, nix::NarInfo& narinfo) {
    in_context(fmt::format("copying {}", narinfo.info.path.to_string()), [&] {
      if (const auto known = nix::NarFileName::parse(narinfo.url);
          known && narinfo.file_hash == known->file_hash && narinfo.file_size && to_.find(narinfo.url) &&
          options_.access.may_read(narinfo.url))
        return;  // an earlier attempt brought it
      const auto upload = to_.begin(nix::nar_file_name({}, narinfo.compression));
      Sha256 hash;
      uint64_t size = 0;
      from.fetch(narinfo, [&](std::string_view piece) {
        hash.update(piece);
        size += piece.size();
        upload->write(piece);
      });
      const Sha256Digest digest = hash.finish();
      if ((narinfo.file_hash && *narinfo.file_hash != digest) ||
          (narinfo.file_size && *narinfo.file_size != size))
        fail(ErrorKind::untrusted, "{} of {} is not the file that its narinfo announces", narinfo.url,
             from.url());
      narinfo.file_hash = digest;
      narinfo.file_size = size;
      narinfo.url = nix::nar_file_name(digest, narinfo.compression);
      to_.accept(narinfo.url, *upload, options_.access);
      const std::lock_guard lock(mutex_);
      result_.bytes += size;
    });
    copy_index(from, narinfo);
  }

  // Nobody needs it to have the path: without it, or with one that is not of this file, the path goes
  // without.
  void copy_index(store::BinaryCache& from, nix::NarInfo& narinfo) {
    if (!narinfo.index_hash) return;
    const std::string name = nix::index_file_name(*narinfo.index_hash);
    try {
      const store::CacheAnswer answer = from.ask(name);
      if (answer.error) throw Error(*answer.error);
      if (!answer.text) fail(ErrorKind::not_found, "it is missing");
      if (narinfo.url != nix::nar_file_name(nar_file_of_index(*answer.text), narinfo.compression))
        fail(ErrorKind::untrusted, "it is the index of another file");
      const auto upload = to_.begin(name);
      upload->write(*answer.text);
      to_.accept(name, *upload, options_.access);
    } catch (const Error& error) {
      log::warning("{} is copied without its index {}: {}", narinfo.info.path.to_string(), name,
                   error.what());
      narinfo.leave_out_index();
    }
  }

  // What differs from its NAR is seen here, too.
  void write_without_false_index(const nix::NarInfo& narinfo) {
    try {
      return write(narinfo);
    } catch (const Error& error) {
      if (!narinfo.index_hash ||
          (error.kind() != ErrorKind::untrusted && error.kind() != ErrorKind::invalid_input))
        throw;
      nix::NarInfo without = narinfo;
      without.leave_out_index();
      write(without);
      log::warning("{} is copied without its index: {}", narinfo.info.path.to_string(), error.what());
    }
  }

  void write(const nix::NarInfo& narinfo) {
    const std::string name = nix::narinfo_name(narinfo.info.path);
    const auto upload = to_.begin(name);
    upload->write(narinfo.to_string());
    to_.accept(name, *upload, options_.access);
  }

  store::BinaryCache& from_;
  CacheFiles& to_;
  const CopyOptions& options_;
  std::map<nix::StorePath, nix::NarInfo> missing_;
  std::vector<nix::StorePath> wanted_;  // whose NARs are missing
  std::mutex mutex_;                    // of the result's bytes
  CopiedPaths result_;
};

}  // namespace

CopiedPaths copy_paths(store::BinaryCache& from, CacheFiles& to, const nix::StorePathSet& paths,
                       const CopyOptions& options) {
  return in_context(fmt::format("copying from {}", from.url()),
                    [&] { return PathCopier(from, to, options).run(paths); });
}

}  // namespace flox::server
