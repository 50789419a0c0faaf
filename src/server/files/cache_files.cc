#include "server/files/cache_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "base/trace/span.h"
#include "nix/cache_info.h"
#include "nix/cache_layout.h"
#include "server/files/index_check.h"
#include "server/files/nar_content.h"
#include "server/files/nar_upload.h"

namespace flox::server {
namespace {

constexpr uint64_t nar_size_ratio = 4;  // a NAR's largest size, by that of its file
constexpr int most_attempts = 20;       // to write a narinfo that others write at the same time
constexpr size_t narinfos_at_once = 500;

constexpr int priority = 30;  // of this cache among others

// Names of those narinfos that may not be read.
std::set<std::string> unreadable(const std::vector<nix::StorePath>& paths, const CacheAccess& access) {
  std::vector<std::string> names;
  names.reserve(paths.size());
  for (const auto& path : paths) names.push_back(nix::narinfo_name(path));
  return access.unreadable(names);
}

}  // namespace

CacheFiles::CacheFiles(ObjectStore& store, NarRecords& nars, const RegisteredKeys& keys, CacheLimits limits)
    : store_(store), nars_(nars), keys_(keys), limits_(limits) {
  for (const auto& name : store_.spool().names(most_files_listed)) store_.spool().remove(name);
  store_.prepare(std::string(nix::cache_info_name),
                 nix::CacheInfo{.want_mass_query = true, .priority = priority}.to_string());
  const auto size = store_.size();
  used_ = (size ? *size : nars_.bytes()) + limits_.database_bytes;
}

// A directory is counted at the start only: what another catalog on this machine adds fills the same file
// system.
void CacheFiles::count_again() {
  hot_.forget_old();
  if (store_.is_shared()) used_ = nars_.bytes() + limits_.database_bytes;
}

bool CacheFiles::is_name(std::string_view name) {
  return name == nix::cache_info_name || nix::hash_of_file_name(name) || nix::digest_of_narinfo_name(name);
}

std::optional<ServedObject> CacheFiles::find(std::string_view name) const {
  if (!is_name(name)) return std::nullopt;
  const trace::Span span("files find", trace::Kind::client);
  return store_.serve(std::string(name));
}

HotFiles::Text CacheFiles::small_file(const std::string& name, std::optional<uint64_t> changes) const {
  const bool is_narinfo = name == nix::cache_info_name || nix::digest_of_narinfo_name(name).has_value();
  if (!is_narinfo && store_.is_shared()) return nullptr;
  const trace::Span span("files read", trace::Kind::client);
  const auto status = store_.status(name);
  if (!status || status->size > (is_narinfo ? nix::max_narinfo_size : HotFiles::largest)) return nullptr;
  std::string bytes;
  bytes.reserve(status->size);
  store_.stream(name, [&](std::string_view piece) { bytes += piece; });
  auto text = std::make_shared<const std::string>(std::move(bytes));
  if (changes) hot_.add(name, {.text = text, .opened = {}}, *changes);
  return text;
}

std::shared_ptr<const OpenedFile> CacheFiles::open(const std::string& name, const std::filesystem::path& file,
                                                   uint64_t changes) const {
  Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return nullptr;
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  auto opened = std::make_shared<const OpenedFile>(
      OpenedFile{.fd = std::move(fd), .size = static_cast<uint64_t>(status.st_size)});
  hot_.add(name, {.text = {}, .opened = opened}, changes);
  return opened;
}

// Once a minute: uploads that are refused come again.
void CacheFiles::tell_full(std::string_view why, uint64_t bytes) {
  const int64_t now = std::chrono::steady_clock::now().time_since_epoch() / std::chrono::seconds(1);
  int64_t told = told_full_;
  if ((told != 0 && now < told + 60) || !told_full_.compare_exchange_strong(told, now)) return;
  log::warning(
      "no space left: {}, so {} more bytes are refused (507). It holds {} bytes{}. 'flox catalog gc' removes "
      "what nothing needs",
      why, bytes, used_.load(),
      limits_.max_store_bytes > 0 ? fmt::format(", --max-store-bytes is {}", limits_.max_store_bytes) : "");
}

void CacheFiles::reserve(uint64_t bytes) {
  const auto full = [&](std::string_view why) {
    tell_full(why, bytes);
    throw StatusError(507, ErrorKind::unavailable, fmt::format("the catalog has no space left: {}", why),
                      "Ask its operator for more space.");
  };
  struct statvfs status {};
  if (::fstatvfs(store_.spool().fd(), &status) == 0 &&
      static_cast<uint64_t>(status.f_bavail) * status.f_frsize < limits_.keep_free + bytes)
    full("its file system is full");
  const uint64_t before = reserved_.fetch_add(bytes) + used_;
  if (limits_.max_store_bytes == 0 || before + bytes <= limits_.max_store_bytes) return;
  reserved_ -= bytes;
  full("it has as many bytes as it may");
}

void CacheFiles::keep(uint64_t bytes) noexcept {
  used_ += bytes;
  reserved_ -= bytes;
}

// What another catalog has added and this one not counted yet can be more than was counted.
void CacheFiles::forget(uint64_t bytes) noexcept {
  uint64_t used = used_;
  while (!used_.compare_exchange_weak(used, used - std::min(used, bytes))) {
  }
}

void CacheFiles::remove_file(const std::string& name) const {
  store_.remove(name);
  hot_.forget(name);
}

std::shared_ptr<UploadSink> CacheFiles::begin(std::string_view name) {
  if (const auto nar = nix::NarFileName::parse(name))
    return std::make_shared<NarUpload>(*this, upload_name(), std::string(nar->compression));
  if (nix::hash_of_index_name(name)) return std::make_shared<NarUpload>(*this, upload_name(), std::nullopt);
  if (nix::digest_of_narinfo_name(name)) return std::make_shared<NarInfoUpload>();
  throw Error(ErrorKind::invalid_input,
              fmt::format("'{}' is not a file of a binary cache", name.substr(0, 200)),
              "Use <digest>.narinfo, nar/<hash>.nar[.zst|.xz|.bz2|.br|.gz] or nar/<hash>.index.zst.");
}

void CacheFiles::accept(std::string_view name, UploadSink& upload, const CacheAccess& access) {
  const trace::Span span("files accept", trace::Kind::client);
  if (auto* nar = dynamic_cast<NarUpload*>(&upload)) return accept_nar(std::string(name), *nar, access);
  const auto digest = nix::digest_of_narinfo_name(name);
  auto* narinfo = dynamic_cast<NarInfoUpload*>(&upload);
  if (!digest || narinfo == nullptr) fail(ErrorKind::internal, "an upload of an unknown kind");
  in_context(name, [&] { accept_narinfo(*digest, narinfo->text, access); });
}

void CacheFiles::accept_nar(const std::string& name, NarUpload& upload, const CacheAccess& access) {
  const Sha256Digest hash = upload.file_hash();
  const SpooledFile file = upload.spooled(hash);
  if (hash != nix::hash_of_file_name(name))
    fail(ErrorKind::untrusted, "{}: the content's hash is {}, not what its name says", name,
         nix::hash_text(hash));
  const auto content = in_context(name, [&] { return upload.content(); });
  // From here on no catalog takes it for an orphan, so that its narinfo can follow.
  nars_.use(name, Clock::now());
  const bool is_new = !store_.status(name);
  access.grant(name, is_new);
  // Else the same bytes, by their hash.
  if (is_new) {
    upload.kept(store_.put(name, file));
    hot_.forget(name);  // somebody may have looked who may read it before it was anybody's
  }
  nars_.set_content(name, file.size, content);
}

std::string CacheFiles::upload_name() { return fmt::format("upload-{}-{}", ::getpid(), ++upload_number_); }

// False if another one has written it meanwhile.
bool CacheFiles::write(const nix::NarInfo& narinfo, const Known& before) {
  const std::string name = nix::narinfo_name(narinfo.info.path);
  const std::string text = narinfo.to_string();
  if (text.size() > nix::max_narinfo_size)
    throw StatusError(
        413, ErrorKind::invalid_input,
        fmt::format("with its signatures it would have {} bytes, and no client reads more than {}",
                    text.size(), nix::max_narinfo_size));
  reserve(text.size());
  bool written = false;
  try {
    written = store_.replace(name, text, before.version);
    hot_.forget(name);
  } catch (const Error&) {
    release(text.size());
    throw;
  }
  if (!written) {
    release(text.size());
    return false;
  }
  keep(text.size());
  forget(before.size);
  return true;
}

// What is there of the paths with these digests. A narinfo that is damaged, or whose NAR is missing, is of no
// use: it may be written anew.
std::vector<CacheFiles::Known> CacheFiles::known(const std::vector<std::string>& digests) const {
  std::vector<Known> result(digests.size());
  std::vector<std::string> names, urls;
  for (const auto& digest : digests) names.push_back(nix::narinfo_name(digest));
  std::vector<size_t> places;  // of the NARs that are looked for
  const auto objects = store_.read_all(names, nix::max_narinfo_size);
  for (size_t i = 0; i < digests.size(); ++i) {
    if (!objects[i]) continue;
    result[i].version = objects[i]->version;
    result[i].size = objects[i]->text.size();
    try {
      nix::NarInfo narinfo = nix::NarInfo::parse(objects[i]->text);
      if (!nix::NarFileName::parse(narinfo.url)) continue;
      urls.push_back(narinfo.url);
      places.push_back(i);
      result[i].narinfo = std::move(narinfo);
    } catch (const Error& error) {
      log::warning("{}: {}", names[i], error.what());
    }
  }
  const auto nars = store_.statuses(urls);
  for (size_t i = 0; i < places.size(); ++i)
    if (!nars[i]) result[places[i]].narinfo.reset();
  return result;
}

std::vector<std::optional<nix::NarInfo>> CacheFiles::in_order(
    const std::vector<nix::StorePath>& paths) const {
  std::vector<std::string> digests;
  for (const auto& path : paths) digests.emplace_back(path.digest());
  std::vector<std::optional<nix::NarInfo>> result;
  auto all = known(digests);
  for (size_t i = 0; i < paths.size(); ++i) {
    auto& narinfo = all[i].narinfo;
    result.push_back(narinfo && narinfo->info.path == paths[i] ? std::move(narinfo) : std::nullopt);
  }
  return result;
}

std::optional<nix::NarInfo> CacheFiles::narinfo(const nix::StorePath& path) const {
  return in_order({path}).front();
}

// Calls `take` with some hundred of the paths at once, and in_order() of them: as many as memory allows.
template <typename Take>
void CacheFiles::each_batch(const nix::StorePathSet& paths, const Take& take) const {
  const std::vector<nix::StorePath> all(paths.begin(), paths.end());
  for (size_t first = 0; first < all.size(); first += narinfos_at_once) {
    const size_t end = std::min(first + narinfos_at_once, all.size());
    const std::vector<nix::StorePath> now(all.begin() + static_cast<ptrdiff_t>(first),
                                          all.begin() + static_cast<ptrdiff_t>(end));
    take(now, in_order(now));
  }
}

std::map<nix::StorePath, nix::NarInfo> CacheFiles::narinfos(const nix::StorePathSet& paths) const {
  std::map<nix::StorePath, nix::NarInfo> result;
  each_batch(paths, [&](const auto&, auto found) {
    for (auto& narinfo : found)
      if (narinfo) result.emplace(narinfo->info.path, std::move(*narinfo));
  });
  return result;
}

nix::StorePathSet CacheFiles::among(const nix::StorePathSet& paths, const CacheAccess& access) const {
  nix::StorePathSet result;
  each_batch(paths, [&](const std::vector<nix::StorePath>& now, const auto& found) {
    const std::set<std::string> hidden = unreadable(now, access);
    for (size_t i = 0; i < now.size(); ++i)
      if (found[i] && !hidden.contains(nix::narinfo_name(now[i]))) result.insert(now[i]);
  });
  return result;
}

std::vector<nix::NarInfo> CacheFiles::closure(const nix::StorePathSet& paths, const CacheAccess& access,
                                              size_t most) const {
  std::vector<nix::NarInfo> result;
  nix::StorePathSet seen = paths;
  std::vector<nix::StorePath> open(paths.begin(), paths.end());
  while (!open.empty()) {
    // As many at once as memory allows, for a store behind a network.
    const size_t count = std::min(open.size(), narinfos_at_once);
    const std::vector<nix::StorePath> now(open.end() - static_cast<ptrdiff_t>(count), open.end());
    open.erase(open.end() - static_cast<ptrdiff_t>(count), open.end());
    auto found = in_order(now);
    const std::set<std::string> hidden = unreadable(now, access);
    for (size_t i = 0; i < count; ++i) {
      if (!found[i] || hidden.contains(nix::narinfo_name(now[i])))
        throw Error(ErrorKind::invalid_input, fmt::format("{} is not in the cache", now[i].to_string()),
                    "Upload the closure first, as flox publish does.");
      for (const auto& reference : found[i]->info.references)
        if (seen.insert(reference).second) open.push_back(reference);
      if (seen.size() > most) fail(ErrorKind::invalid_input, "the closure has over {} paths", most);
      result.push_back(std::move(*found[i]));
    }
  }
  return result;
}

void CacheFiles::accept_narinfo(std::string_view digest, const std::string& text, const CacheAccess& access) {
  nix::NarInfo given = nix::NarInfo::parse(text);
  if (given.info.path.digest() != digest)
    fail(ErrorKind::invalid_input, "it describes {}, another path than its name says",
         given.info.path.to_string());
  if (given.info.signatures.empty())
    throw Error(ErrorKind::untrusted, "it bears no signature",
                "Pass a key: flox publish --signing-private-key FILE.");
  keep_valid_index(given);
  const bool any = given.info.signatures.size() > 1;
  given.info.signatures = believed(given.info.fingerprint(), given.info.signatures);
  if (given.info.signatures.empty())
    throw Error(ErrorKind::untrusted,
                keys_.empty()
                    ? "it bears no signature that could be one"
                    : fmt::format("{} a valid signature of a registered key ({})",
                                  any ? "none of its signatures is" : "its signature is not", keys_.names()),
                "The catalog's operator registers public keys: flox-catalog --trusted-key KEY.");
  // Somebody may collect garbage: what is marked before we look is kept, what is marked later is looked for
  // again.
  nix::StorePathSet needed = given.info.references;
  needed.insert(given.info.path);
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    const int64_t marked = marks().times();
    keep(needed);
    try {
      take_narinfo(digest, given, access);
    } catch (const LookAgain&) {
      continue;
    }
    if (marks().times() == marked) return;
    keep(needed);
    if (is_whole(given)) return;
  }
  fail(ErrorKind::unavailable, "garbage is collected all the time");
}

// Without registered keys nothing can be verified.
std::vector<std::string> CacheFiles::believed(const std::string& message,
                                              const std::vector<std::string>& signatures) const {
  return keys_.empty() ? plausible_signatures(signatures) : keys_.valid_signatures(message, signatures);
}

// An index that nobody here believes is left out: the path is whole without it.
void CacheFiles::keep_valid_index(nix::NarInfo& given) const {
  if (!given.index_hash) return;
  auto& signatures = given.index_signatures;
  signatures = believed(given.index_fingerprint(), signatures);
  if (!signatures.empty()) return;
  log::info("{}: its index is left out: it bears no signature of a registered key",
            given.info.path.to_string());
  given.leave_out_index();
}

// Whether the path is here, and all that it refers to.
bool CacheFiles::is_whole(const nix::NarInfo& given) const {
  std::vector<nix::StorePath> paths(given.info.references.begin(), given.info.references.end());
  paths.push_back(given.info.path);
  return std::ranges::all_of(in_order(paths), [](const auto& one) { return one.has_value(); });
}

void CacheFiles::keep(const nix::StorePathSet& paths) const {
  std::set<std::string> digests;
  for (const auto& path : paths) digests.emplace(path.digest());
  keep(digests);
}

void CacheFiles::keep(const std::set<std::string>& digests) const {
  marks().keep([&] { return needs_of(digests); });
}

std::vector<std::string> CacheFiles::digests_of(const std::vector<nix::NarInfo>& closure,
                                                const std::set<std::string>& further) const {
  std::vector<std::string> digests;
  digests.reserve(closure.size());
  for (const auto& narinfo : closure) digests.emplace_back(narinfo.info.path.digest());
  auto others = needs_of(further, {digests.begin(), digests.end()}).digests;
  std::ranges::move(others, std::back_inserter(digests));
  return digests;
}

RemovalMarks::Needed CacheFiles::needs_of(const std::set<std::string>& digests,
                                          std::set<std::string> known_already) const {
  RemovalMarks::Needed needed;
  std::set<std::string> seen = std::move(known_already);
  std::vector<std::string> open;
  for (const auto& digest : digests)
    if (seen.insert(digest).second) open.push_back(digest);
  while (!open.empty()) {
    const size_t count = std::min(open.size(), narinfos_at_once);
    std::vector<std::string> now(open.end() - static_cast<ptrdiff_t>(count), open.end());
    open.erase(open.end() - static_cast<ptrdiff_t>(count), open.end());
    const auto found = known(now);
    for (size_t i = 0; i < now.size(); ++i) {
      if (found[i].version.empty()) needed.missing.insert(now[i]);
      needed.digests.push_back(std::move(now[i]));
      if (!found[i].narinfo) continue;
      for (const auto& reference : found[i].narinfo->info.references)
        if (auto digest = std::string(reference.digest()); seen.insert(digest).second)
          open.push_back(std::move(digest));
    }
  }
  return needed;
}

void CacheFiles::take_narinfo(std::string_view digest, const nix::NarInfo& given, const CacheAccess& access) {
  const std::string name = nix::narinfo_name(digest);
  bool is_checked = false;
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    const Known before = known({std::string(digest)}).front();
    if (before.narinfo) {
      if (!access.may_read(name)) {
        // Somebody else's: whoever has the content gets it, compressed as it is here.
        check_narinfo(digest, given, access);
      }
      const auto wanted = merged(*before.narinfo, given, access);
      if (!wanted || write(*wanted, before)) return;
      continue;  // another one has added a signature meanwhile: it must not be lost
    }
    if (!is_checked) {
      check_narinfo(digest, given, access);
      check_index(given, access);
    }
    is_checked = true;
    access.grant(name, true);
    if (write(given, before)) return;
  }
  fail(ErrorKind::unavailable, "others write it all the time");
}

// What is known of a path that is here, with the given signatures; nothing if it has them all.
std::optional<nix::NarInfo> CacheFiles::merged(const nix::NarInfo& known, const nix::NarInfo& given,
                                               const CacheAccess& access) const {
  if (known.info.fingerprint() != given.info.fingerprint())
    throw Error(ErrorKind::conflict,
                fmt::format("{} is here already, with other content", known.info.path.to_string()),
                "Build it so that it gets another store path: a store path never changes.");
  if (const std::string name = nix::narinfo_name(known.info.path); !access.may_read(name)) {
    // In this order: whose narinfo may be read, its NAR may be, too.
    access.grant(known.url, false);
    if (known.index_hash) access.grant(nix::index_file_name(*known.index_hash), false);
    access.grant(name, false);
  } else if (known.url != given.url) {
    throw Error(
        ErrorKind::conflict, fmt::format("{} is here already, as {}", known.info.path.to_string(), known.url),
        "Only signatures can be added to a published path: publish again, and its file will be found.");
  }
  if (known.url == given.url && (known.compression != given.compression ||
                                 known.file_hash != given.file_hash || known.file_size != given.file_size))
    fail(ErrorKind::untrusted, "its Compression, FileHash or FileSize is not that of {}", known.url);
  nix::NarInfo result = known;
  // Those that are there come first, so that a flood cannot displace them.
  auto& signatures = result.info.signatures;
  signatures.insert(signatures.end(), given.info.signatures.begin(), given.info.signatures.end());
  signatures = believed(result.info.fingerprint(), signatures);
  merge_index(result, given, access);
  return result.to_string() == known.to_string() ? std::nullopt : std::optional(std::move(result));
}

// A path that is here without an index of its file gets one, and an index that it has gets signatures.
void CacheFiles::merge_index(nix::NarInfo& result, const nix::NarInfo& given,
                             const CacheAccess& access) const {
  if (!given.index_hash || result.url != given.url) return;
  if (!result.index_hash) {
    check_index(given, access);
    result.index_hash = given.index_hash;
    result.index_signatures = given.index_signatures;
  } else if (result.index_hash == given.index_hash) {
    auto& signatures = result.index_signatures;
    signatures.insert(signatures.end(), given.index_signatures.begin(), given.index_signatures.end());
    signatures = believed(result.index_fingerprint(), signatures);
  }
}

void CacheFiles::check_index(const nix::NarInfo& given, const CacheAccess& access) const {
  if (!given.index_hash) return;
  const std::string name = nix::index_file_name(*given.index_hash);
  const auto status = access.may_read(name) ? store_.status(name) : std::nullopt;
  if (status) nars_.use(name, Clock::now());  // no orphan from here on
  const auto object = status ? store_.read(name, nix::max_index_size) : std::nullopt;
  if (!object) fail(ErrorKind::not_found, "its index {} is not here; it must be uploaded first", name);
  in_context(name, [&] {
    check_index_file(object->text, given, [&](const ByteSink& sink) { store_.stream(given.url, sink); });
  });
}

void CacheFiles::check_narinfo(std::string_view digest, const nix::NarInfo& given,
                               const CacheAccess& access) {
  const auto name = nix::NarFileName::parse(given.url);
  if (!name || !access.may_read(given.url))
    fail(ErrorKind::not_found, "its NAR {} is not here; it must be uploaded first", given.url.substr(0, 200));
  if (name->compression != given.compression)
    fail(ErrorKind::invalid_input, "its Compression is '{}', the name of its NAR says {}",
         given.compression.substr(0, 100), name->compression);
  std::optional<NarContent> known;
  const auto status = [&] {
    auto found = store_.status(given.url);
    if (!found) return found;
    known = nars_.use(given.url, Clock::now());  // no orphan from here on
    return store_.status(given.url);             // nor one that went a moment ago
  }();
  if (!status) fail(ErrorKind::not_found, "its NAR {} is not here; it must be uploaded first", given.url);
  if (given.file_hash != name->file_hash || given.file_size != status->size)
    fail(ErrorKind::untrusted, "its FileHash or FileSize is not that of {}", given.url);
  std::vector<nix::StorePath> references;
  for (const auto& reference : given.info.references)
    if (reference.digest() != digest) references.push_back(reference);
  const auto found = in_order(references);
  const std::set<std::string> hidden = unreadable(references, access);
  for (size_t i = 0; i < references.size(); ++i)
    if (!found[i] || hidden.contains(nix::narinfo_name(references[i])))
      fail(ErrorKind::not_found, "its reference {} is not here; it must be uploaded first",
           references[i].to_string());
  const NarContent content = known ? *known : content_of(given, status->size);
  if (content.hash != given.info.nar_hash || content.size != given.info.nar_size)
    fail(ErrorKind::untrusted, "its NarHash or NarSize is not that of what {} unpacks to", given.url);
}

// By unpacking the file, as far as it is to unpack to.
NarContent CacheFiles::content_of(const nix::NarInfo& given, uint64_t file_size) {
  if (given.info.nar_size > nar_size_ratio * limits_.max_upload)
    fail(ErrorKind::invalid_input, "its NarSize is over {} bytes", nar_size_ratio * limits_.max_upload);
  const NarContent content = unpack_nar(given.url, given.compression, given.info.nar_size,
                                        [&](const ByteSink& sink) { store_.stream(given.url, sink); });
  nars_.set_content(given.url, file_size, content);
  return content;
}

// The NARs that are as old as orphans and that no narinfo names. Narinfos are read only if there are NARs
// that none was known to name: over a network that is a request for each.
std::vector<std::string> CacheFiles::orphans(Clock::time_point before) {
  const auto known = nars_.named();
  std::set<std::string, std::less<>> old;
  store_.list_nars([&](const std::string& name, const ObjectStatus& status) {
    if (status.modified < before && nix::hash_of_file_name(name) && !known.contains(name)) old.insert(name);
  });
  if (old.empty()) return {};
  std::vector<std::string> narinfos, named;
  store_.list_narinfos([&](const std::string& name, const ObjectStatus&) { narinfos.push_back(name); });
  for (size_t first = 0; first < narinfos.size(); first += narinfos_at_once) {
    const size_t end = std::min(first + narinfos_at_once, narinfos.size());
    const std::vector<std::string> names(narinfos.begin() + static_cast<ptrdiff_t>(first),
                                         narinfos.begin() + static_cast<ptrdiff_t>(end));
    for (const auto& object : store_.read_all(names, nix::max_narinfo_size)) {
      if (!object) continue;
      // A narinfo that is damaged elsewhere names its files, too.
      for (const std::string& file :
           {std::string(nix::NarInfo::url_in(object->text)), nix::NarInfo::index_in(object->text)})
        if (old.erase(file) > 0) named.push_back(file);
    }
  }
  nars_.set_named(named);
  return {old.begin(), old.end()};
}

size_t CacheFiles::remove_orphans(Clock::time_point now) {
  const Clock::time_point before = now - limits_.orphan_age;
  size_t removed = 0;
  for (const auto& name : orphans(before)) {
    // Its narinfo may have come since: whoever publishes it has used it.
    const auto status = store_.status(name);
    if (!nars_.remove_unnamed(name, before, now, store_.is_shared(), [&] { remove_file(name); })) continue;
    if (status) forget(status->size);
    ++removed;
  }
  return removed;
}

}  // namespace flox::server
