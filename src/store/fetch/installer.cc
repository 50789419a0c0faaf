#include "store/fetch/installer.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "base/os/open_files.h"
#include "base/printable.h"
#include "nix/cache_info.h"
#include "nix/cache_layout.h"
#include "store/cache/binary_cache.h"
#include "store/fetch/delta_fetch.h"
#include "store/fetch/delta_tree.h"
#include "store/fetch/nar_fetcher.h"
#include "store/fetch/trust.h"
#include "store/fetch/unpacked_tree.h"
#include "store/local/parallel.h"
#include "store/local/placement.h"
#include "store/local/reference_order.h"

namespace flox::store {
namespace {

constexpr uint64_t reference_cost = 96;  // bytes of memory, beside its text
// A realisation that claims paths and does not get on keeps others waiting no longer than this.
constexpr auto patience = std::chrono::seconds(60);
constexpr uint64_t largest_allowance = 1 << 20;  // bytes

template <typename Message>
Message parse(std::string_view text) {
  Message message;
  if (!message.ParseFromArray(text.data(), static_cast<int>(text.size())))
    fail(ErrorKind::invalid_input, "the fetcher sent what is no message");
  return message;
}

}  // namespace

Installer::Installer(LocalStore& store, const RealiseOptions& options, NarinfoCache& memory,
                     std::optional<PathInfo> registered)
    : store_(store),
      options_(options),
      memory_(memory),
      registered_(std::move(registered)),
      staging_(store),
      bases_(store),
      verifying_(store.scratch_directory()),
      progress_(options.on_progress) {
  for (const std::string& text : options.caches) {
    CacheUrl url = CacheUrl::parse(text);
    nix::TrustedKeys keys =
        url.trusted_keys.empty() ? options.trusted_keys : nix::TrustedKeys(url.trusted_keys);
    const bool is_remote = url.scheme != "file";
    caches_.push_back({.url = std::move(url), .keys = std::move(keys), .is_remote = is_remote});
  }
  if (has_peers())
    caches_.push_back({.url = url_of_peers(), .keys = options.trusted_keys, .is_remote = false});
  if (options.shared != nullptr && !registered_)
    shared_.emplace(*options.shared, static_cast<bool>(options.allow));
  // Trees that grow in different directories lie in different parts of the disk: ext4 reads a block of inodes
  // before it adds one, unless all others in it are free, so two threads in one part made each other wait for
  // the disk.
  for (unsigned i = 0; i < worker_count(options.workers); ++i) {
    directories_.push_back(place_work_directory(store.scratch_directory()));
    directory_paths_.push_back(directories_.back().path());
  }
  if (options.sync) write_behind_.emplace(store.store_directory());
}

v1::FetchRequest Installer::request(const StorePathSet& paths) {
  v1::FetchRequest request;
  for (size_t i = 0; i < options_.caches.size(); ++i) {
    v1::FetchRequest::Cache& entry = *request.add_caches();
    entry.set_url(options_.caches[i]);
    if (!caches_[i].is_remote) continue;
    if (auto known = memory_.find(caches_[i].url.text, std::string(nix::cache_info_name));
        known && known->text)
      entry.set_info(*known->text);
  }
  want(paths, *request.mutable_wanted());
  for (const fs::path& directory : directory_paths_) request.add_directories(directory.string());
  request.set_memory(options_.memory);
  request.set_workers(worker_count(options_.workers));
  request.set_metered(static_cast<bool>(options_.allow));
  if (has_peers()) {
    v1::FetchRequest::Peers& peers = *request.mutable_peers();
    for (const std::string& place : options_.peers.places) peers.add_places(place);
    for (const std::string& address : options_.peers.shunned) peers.add_shunned(address);
    peers.set_key_file(options_.peers.key_file.string());
    peers.set_self(options_.shared->node());
    peers.set_cache_rate(options_.peers.cache_rate);
    if (options_.peers.resolver) peers.set_resolver(options_.peers.resolver->to_string());
  }
  return request;
}

std::string Installer::on_call(std::string_view text) {
  const auto call = parse<v1::Call>(text);
  if (call.has_offers()) return offers(call.offers()).SerializeAsString();
  if (call.has_claim()) return claim(call.claim()).SerializeAsString();
  if (call.has_unpacked()) return take_unpacked(call.unpacked()).SerializeAsString();
  if (call.has_begin()) return begin(call.begin()).SerializeAsString();
  if (call.has_allowance()) {
    wait_for_allowance(call.allowance().bytes());
    return {};
  }
  fail(ErrorKind::invalid_input, "the fetcher asked nothing");
}

// Whoever does not ask is not held up: it is the fetcher that keeps the pace, and nothing is decided by it.
void Installer::wait_for_allowance(uint64_t bytes) const {
  if (!options_.allow) fail(ErrorKind::invalid_input, "the fetcher asked for what it need not ask for");
  options_.allow(std::min(bytes, largest_allowance),
                 [this] { return over_.load() || options_.stop.stop_requested(); });
}

void Installer::on_note(std::string_view text) {
  const auto note = parse<v1::Note>(text);
  if (note.has_progress()) {
    progress_.set_bytes(note.progress().bytes_fetched());
    if (shared_) shared_->progress();
  }
  if (note.has_peer_bytes()) {
    const std::lock_guard lock(mutex_);
    bytes_from_peers_ = note.peer_bytes().bytes();
    hedges_ = note.peer_bytes().hedges();
    cache_rate_ = note.peer_bytes().cache_rate();
  }
  if (note.has_peer_use()) note_peer(note.peer_use());
  if (note.has_cache_info() && cache(note.cache_info().cache()).is_remote)
    memory_.remember(cache(note.cache_info().cache()).url.text, std::string(nix::cache_info_name),
                     nix::CacheInfo{.priority = note.cache_info().priority()}.to_string());
  if (note.has_absence()) {
    const Cache& asked = cache(note.absence().cache());
    const auto path = StorePath::from_base_name(note.absence().path());
    const std::lock_guard lock(mutex_);
    // No more of them than there are paths to ask for, some afresh.
    if (!asked.is_remote || !wanted_.contains(path) || ++absences_ > 4 * wanted_.size() * caches_.size())
      return;
    note.absence().forget() ? memory_.forget(asked.url.text, nix::narinfo_name(path))
                            : memory_.remember(asked.url.text, nix::narinfo_name(path), std::nullopt);
  }
}

void Installer::note_peer(const v1::Note::PeerUse& use) {
  const std::lock_guard lock(mutex_);
  constexpr size_t longest_address = 64;
  if (peers_.size() == most_peers || use.address().size() > longest_address)
    fail(ErrorKind::invalid_input, "the fetcher speaks of more peers than there can be");
  peers_.push_back({.address = printable(use.address()),
                    .paths = use.paths(),
                    .bytes = use.bytes(),
                    .failed = use.failed(),
                    .lied = use.lied()});
}

const Installer::Cache& Installer::cache(uint32_t number) const {
  if (number >= caches_.size()) fail(ErrorKind::invalid_input, "there is no cache {}", number);
  return caches_[number];
}

void Installer::want(const StorePathSet& paths, google::protobuf::RepeatedPtrField<v1::Wanted>& wanted) {
  StorePathSet fresh;
  {
    const std::lock_guard lock(mutex_);
    for (const StorePath& path : paths)
      if (seen_.insert(path).second) fresh.insert(path);
  }
  if (fresh.empty()) return;
  store_.add_temp_roots(fresh);  // before anybody looks whether they are valid
  for (const StorePath& path : fresh) {
    if (!registered_ && store_.is_valid(path)) continue;
    {
      const std::lock_guard lock(mutex_);
      wanted_.insert(path);
      if (wanted_.size() > options_.limits.paths)
        throw Error(ErrorKind::invalid_input,
                    fmt::format("the closure has more than {} paths that are missing", options_.limits.paths),
                    "Realise parts of it first.");
    }
    v1::Wanted& entry = *wanted.Add();
    entry.set_path(path.base_name());
    for (uint32_t i = 0; i < caches_.size(); ++i) {
      if (!caches_[i].is_remote) continue;
      const auto known = memory_.find(caches_[i].url.text, nix::narinfo_name(path));
      if (!known) continue;
      v1::Remembered& remembered = *entry.add_remembered();
      remembered.set_cache(i);
      remembered.set_present(known->text.has_value());
      if (known->text) remembered.set_text(*known->text);
    }
  }
}

v1::OffersAnswer Installer::offers(const v1::Call::Offers& message) {
  v1::OffersAnswer answer;
  for (const v1::Call::Offer& one : message.offers()) {
    v1::OfferAnswer& result = *answer.add_answers();
    try {
      result = offer(one);
    } catch (const Error& error) {
      *result.mutable_refused() = to_message(error);
    }
  }
  return answer;
}

v1::OfferAnswer Installer::offer(const v1::Call::Offer& message) {
  nix::NarInfo narinfo = from_message(message.narinfo());
  const Cache& from = cache(message.cache());
  const StorePath path = narinfo.info.path;
  {
    const std::lock_guard lock(mutex_);
    if (!wanted_.contains(path)) fail(ErrorKind::invalid_input, "nobody wants {}", path.to_string());
  }
  if (registered_) {
    if (narinfo.info.nar_hash != registered_->nar_hash || narinfo.info.nar_size != registered_->nar_size)
      fail(ErrorKind::untrusted, "its contents are not those that were registered");
    narinfo.info = *registered_;
  } else {
    check_trust(narinfo.info, from.keys, options_.trust_content_addressed);
  }
  // An index is as good as none unless it is signed, too.
  if (from.keys.index_signer_of(narinfo).empty()) {
    narinfo.leave_out_index();
  }
  const nix::NarInfo known = narinfo;
  {
    const std::lock_guard lock(mutex_);
    auto before = found_.find(path);
    if (before != found_.end()) {
      if (before->second.narinfo.info.fingerprint() != known.info.fingerprint())
        fail(ErrorKind::untrusted, "its contents are not those that another cache announced");
      before->second.narinfo = known;
    } else {
      bytes_announced_ += std::min(known.info.nar_size, UINT64_MAX - bytes_announced_);
      if (bytes_announced_ > options_.limits.disk)
        throw Error(ErrorKind::unavailable,
                    fmt::format("the closure's missing paths have more than the {} MB that are allowed",
                                options_.limits.disk / 1'000'000),
                    "Ask for less at once, or let the node allow more.");
      for (const StorePath& reference : known.info.references)
        reference_bytes_ += reference.base_name().size() + reference_cost;
      if (reference_bytes_ > options_.limits.references)
        throw Error(ErrorKind::invalid_input,
                    fmt::format("the references of the closure's missing paths take more than {} bytes",
                                options_.limits.references),
                    "Realise parts of it first.");
      found_.emplace(path, Found{.narinfo = known, .claim = {}, .busy_since = {}});
      if (shared_) shared_->plan(known.info);
    }
    // What is remembered, or a peer says, may be what a token of somebody's own has shown.
    if (options_.known_public != nullptr && !registered_ && !options_.is_private && !message.remembered() &&
        !is_peers(from))
      found_.at(path).shown = true;
  }
  // As we understand it, not as it came. What a token of somebody's own has shown, others are not to find
  // here.
  if (from.is_remote && !registered_ && !message.remembered() && !options_.is_private)
    memory_.remember(from.url.text, nix::narinfo_name(path), known.to_string());
  v1::OfferAnswer answer;
  if (!registered_) want(known.info.references, *answer.mutable_wanted());
  answer.set_has_base(can_be_delta(from, known) && (has_part(path) || !bases_.find(known.info).empty()));
  return answer;
}

// What is small comes as quickly as a whole, unless there is a part of it.
bool Installer::can_be_delta(const Cache& from, const nix::NarInfo& narinfo) const {
  return from.is_remote && !registered_ && narinfo.index_hash &&
         (narinfo.file_size.value_or(narinfo.info.nar_size) > small_file || has_part(narinfo.info.path));
}

fs::path Installer::unfinished(const StorePath& path) const {
  return options_.unfinished ? options_.unfinished(path) : fs::path();
}

v1::ClaimAnswer Installer::claim(const v1::Call::Claim& message) {
  v1::ClaimAnswer answer;
  const std::lock_guard lock(mutex_);
  if (shared_) shared_->planned();
  if (!search_is_over_) {
    memory_.flush();
    uint64_t bytes = 0;
    for (const auto& [path, found] : found_) bytes += found.narinfo.file_size.value_or(0);
    progress_.begin(found_.size(), bytes);
    search_is_over_ = true;
  }
  for (const std::string& name : message.paths())
    answer.add_states(claim_one(StorePath::from_base_name(name)));
  return answer;
}

v1::ClaimAnswer::State Installer::claim_one(const StorePath& path) {
  const auto entry = found_.find(path);
  if (entry == found_.end()) fail(ErrorKind::invalid_input, "{} was not found anywhere", path.to_string());
  Found& found = entry->second;
  if (!found.claim) found.claim = staging_.claim(path);
  const auto now = std::chrono::steady_clock::now();
  if (!found.claim && now - found.busy_since.value_or(now) < patience) {
    if (!found.busy_since) found.busy_since = now;
    if (!is_present(found.narinfo.info)) {
      if (options_.on_busy) options_.on_busy();
      return v1::ClaimAnswer::BUSY;
    }
  } else if (!is_present(found.narinfo.info)) {
    if (shared_) shared_->fetching(found.narinfo.info);
    return v1::ClaimAnswer::YOURS;
  }
  if (shared_)
    shared_->present(found.narinfo.info,
                     staging_.has(found.narinfo.info) ? staging_.tree_of(found.narinfo.info) : fs::path());
  found.claim.reset();
  count(found, 0);
  return v1::ClaimAnswer::PRESENT;
}

bool Installer::is_present(const PathInfo& info) const {
  return (!registered_ && store_.is_valid(info.path)) || staging_.has(info);
}

v1::UnpackedAnswers Installer::take_unpacked(const v1::Call::UnpackedTrees& message) {
  progress_.set_bytes(message.bytes_fetched());
  v1::UnpackedAnswers answer;
  for (const v1::Call::Unpacked& tree : message.trees()) {
    v1::UnpackedAnswer& result = *answer.add_answers();
    try {
      take_tree(tree, message.decoder_memory());
    } catch (const Error& error) {
      *result.mutable_refused() = to_message(error);
    }
  }
  return answer;
}

// The fetcher gets nothing by this but bytes of chunks whose hashes a trusted key has signed: it can read no
// other part of the store.
v1::BeginAnswer Installer::begin(const v1::Call::Begin& message) {
  const auto path = StorePath::from_base_name(message.path());
  if (message.directory() >= directory_paths_.size())
    fail(ErrorKind::invalid_input, "there is no directory {}", message.directory());
  std::optional<nix::NarInfo> known;
  fs::path tree;
  {
    const std::lock_guard lock(mutex_);
    const auto found = found_.find(path);
    if (found == found_.end() || found->second.counted || !found->second.narinfo.index_hash ||
        std::exchange(found->second.begun, true))
      fail(ErrorKind::invalid_input, "{} is not to be begun", path.to_string());
    known = found->second.narinfo;
    tree = verifying_.path() / std::to_string(next_tree_++);
  }
  if (sha256(message.index()) != *known->index_hash)
    fail(ErrorKind::untrusted, "the index has not the hash that was signed");
  const NarIndex index = NarIndex::unpack(message.index(), most_delta_index);
  if (index.nar_hash != known->info.nar_hash || index.nar_size != known->info.nar_size)
    fail(ErrorKind::untrusted, "it is the index of another path");
  std::vector<fs::path> bases;
  for (const StorePath& base : bases_.find(known->info)) bases.push_back(store_.real_path(base));
  v1::BeginAnswer answer;
  try {
    const std::vector<bool> missing = make_delta_tree(index, bases, unfinished(path), tree, [this] {
      return over_.load() || options_.stop.stop_requested();
    });
    std::string bits((missing.size() + 7) / 8, '\0');
    for (size_t i = 0; i < missing.size(); ++i)
      if (missing[i]) bits[i / 8] = static_cast<char>(bits[i / 8] | 1 << i % 8);
    answer.set_missing(std::move(bits));
    const fs::path to = directory_paths_[message.directory()] / std::to_string(message.number());
    if (::rename(tree.c_str(), to.c_str()) != 0) fail_errno(errno, "handing over {}", path.to_string());
  } catch (...) {
    remove_tree(tree);
    throw;
  }
  return answer;
}

void Installer::take_tree(const v1::Call::Unpacked& message, uint64_t decoder_memory) {
  const auto path = StorePath::from_base_name(message.path());
  if (message.directory() >= directory_paths_.size())
    fail(ErrorKind::invalid_input, "there is no directory {}", message.directory());
  PathInfo info{.path = path};
  fs::path tree;
  {
    const std::lock_guard lock(mutex_);
    const auto found = found_.find(path);
    if (found == found_.end() || found->second.counted)
      fail(ErrorKind::invalid_input, "{} is not to be fetched", path.to_string());
    info = found->second.narinfo.info;
    tree = verifying_.path() / std::to_string(next_tree_++);
  }
  const fs::path from = directory_paths_[message.directory()] / std::to_string(message.number());
  // From here on the fetcher cannot reach it.
  if (::rename(from.c_str(), tree.c_str()) != 0) fail_errno(errno, "taking over {}", path.to_string());
  try {
    verify_unpacked(tree, info);
    // Whoever did not wait for us may have put it there before.
    staging_.has(info) ? remove_tree(tree) : staging_.put(info, tree);
  } catch (...) {
    remove_tree(tree);
    throw;
  }
  if (shared_) shared_->present(info, staging_.tree_of(info));
  if (write_behind_) write_behind_->add(info.nar_size);
  const std::lock_guard lock(mutex_);
  Found& found = found_.at(path);
  found.claim.reset();
  ++paths_fetched_;
  count(found, decoder_memory);
}

void Installer::count(Found& found, uint64_t decoder_memory) {
  if (!std::exchange(found.counted, true)) progress_.path_done(decoder_memory);
}

uint64_t Installer::bytes_from_peers() const {
  const std::lock_guard lock(mutex_);
  return bytes_from_peers_;
}

uint64_t Installer::hedges() const {
  const std::lock_guard lock(mutex_);
  return hedges_;
}

uint64_t Installer::cache_rate() const {
  const std::lock_guard lock(mutex_);
  return cache_rate_;
}

std::vector<PeerUse> Installer::peers() const {
  const std::lock_guard lock(mutex_);
  return peers_;
}

uint64_t Installer::paths_fetched() const {
  const std::lock_guard lock(mutex_);
  return paths_fetched_;
}

void Installer::install() {
  installing_ = true;
  if (write_behind_) {
    write_behind_->check();
    write_behind_->begin();  // while the trees are moved
  }
  std::vector<PathInfo> infos, shown;
  for (const StorePath& path : wanted_) {
    const auto found = found_.find(path);
    if (found == found_.end()) fail(ErrorKind::internal, "the fetcher left {} out", path.to_string());
    infos.push_back(found->second.narinfo.info);
    if (found->second.shown) shown.push_back(found->second.narinfo.info);
  }
  if (options_.known_public != nullptr) options_.known_public->add(shown);
  memory_.flush();
  const std::vector<const PathInfo*> order = in_reference_order(infos);
  // One transaction, unless the system does not let us hold so many locks: then in parts, references first.
  const size_t limit = allow_open_files();
  const size_t at_once = limit > 512 ? limit - 256 : limit / 2;
  for (size_t start = 0; start < order.size(); start += at_once) {
    std::vector<ReadyTree> trees;
    for (size_t i = start; i < std::min(order.size(), start + at_once); ++i)
      if (!store_.is_valid(order[i]->path))
        trees.push_back({.info = *order[i], .tree = staging_.tree_of(*order[i])});
    store_.install(trees);
  }
  for (const PathInfo* info : order)  // those that somebody else has installed
    if (staging_.has(*info))
      if (const auto claim = staging_.claim(info->path)) staging_.remove(*info);
}

}  // namespace flox::store
