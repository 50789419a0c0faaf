#include "store/peers/peer_cache.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "nix/cache_layout.h"
#include "store/peers/peer_proof.h"
#include "store/peers/peer_question.h"

namespace flox::store {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Of a cache's rate nobody asks as long as a peer is done that soon.
constexpr double soon = 10;  // seconds
constexpr auto longest_measure = std::chrono::seconds(10);

// Counts what comes, and how long it was waited for: a reader that is slow itself is not the peer's fault.
class NarOfPeer : public NarFile {
 public:
  // `is_only`: no cache has it.
  NarOfPeer(std::shared_ptr<HttpTransfer> transfer, const nix::PathInfo& info, std::string peer,
            std::shared_ptr<PeerPace> pace, bool is_only)
      : transfer_(std::move(transfer)),
        info_(info),
        peer_(std::move(peer)),
        pace_(std::move(pace)),
        is_only_(is_only) {}
  ~NarOfPeer() override {
    if (beginning_.file) pace_->is_measuring = false;
  }
  NarOfPeer(const NarOfPeer&) = delete;
  NarOfPeer& operator=(const NarOfPeer&) = delete;

  bool read(std::string& piece) override {
    const auto began = Clock::now();
    const bool has_more = in_context("peer " + peer_, [&] { return transfer_->read(piece); });
    waited_ += Clock::now() - began;
    if (!std::exchange(is_begun_, true)) check_status();
    if (!has_more) return false;
    bytes_ += piece.size();
    pace_->bytes += piece.size();
    if (waited_ <= pace_->patience.load()) return true;
    const double rate = static_cast<double>(bytes_) / std::chrono::duration<double>(waited_).count();
    const auto left = static_cast<double>(info_.nar_size - std::min(bytes_, info_.nar_size));
    if (!is_only_ && pace_->cache_rate() == 0 && left > soon * rate) measure_cache();
    const auto least = static_cast<double>(is_only_ ? least_peer_rate : pace_->least_rate());
    if (rate < least)
      fail(ErrorKind::unavailable, "peer {}: it gives {:.0f} kB a second, and must give {:.0f}", peer_,
           rate / 1000, least / 1000);
    return true;
  }
  bool is_there() const override { return transfer_->is_over(); }

 private:
  void check_status() const {
    const HttpResponse response = transfer_->response();
    if (response.is_foreign) fail(ErrorKind::untrusted, "peer {}: it sends us to another server", peer_);
    if (response.status == 404 || response.status == 410)
      fail(ErrorKind::not_found, "peer {}: it does not have it", peer_);
    if (response.status == 503) fail(ErrorKind::conflict, "peer {}: it is busy", peer_);
    if (!response.ok()) fail(ErrorKind::unavailable, "peer {}: it answers {}", peer_, response.status);
  }

  // It takes long, and nobody knows whether a cache would be faster: the beginning from there says it, while
  // the peer goes on.
  void measure_cache() {
    const auto now = Clock::now();
    if (!beginning_.file) {
      if (!pace_->open_beginning || has_measured_ || pace_->is_measuring.exchange(true)) return;
      has_measured_ = true;
      beginning_ = pace_->open_beginning(info_);
      measuring_since_ = now;
      if (!beginning_.file) pace_->is_measuring = false;
      return;
    }
    const bool is_there = beginning_.file->is_there();
    if (!is_there && now - measuring_since_ < longest_measure) return;
    try {
      if (is_there)
        for (std::string piece; beginning_.file->read(piece);) continue;  // throws if it is not all there
      pace_->cache_gave(beginning_.bytes, now - measuring_since_);
    } catch (const Error& error) {
      log::debug("measuring how fast a cache is: {}", error.what());
    }
    beginning_.file.reset();
    pace_->is_measuring = false;
  }

  std::shared_ptr<HttpTransfer> transfer_;
  nix::PathInfo info_;
  std::string peer_;
  std::shared_ptr<PeerPace> pace_;
  Clock::duration waited_{};
  uint64_t bytes_ = 0;
  bool is_begun_ = false;
  bool is_only_;
  bool has_measured_ = false;
  PeerPace::Beginning beginning_;
  Clock::time_point measuring_since_{};
};

// "[fe80::1%eth0]:9810" without what only this machine calls so.
std::string without_zone(std::string address) {
  if (const size_t zone = address.find('%'); zone != std::string::npos)
    address.erase(zone, address.find(']') - zone);
  return address;
}

CacheUrl url_of(const std::string& address) { return CacheUrl::parse("http://" + address); }

}  // namespace

void PeerPace::cache_gave(uint64_t bytes, Clock::duration took) {
  constexpr uint64_t enough = 1 << 20;
  if (bytes < enough) return;
  const std::lock_guard lock(mutex_);
  cache_bytes_ += bytes;
  cache_seconds_ += std::chrono::duration<double>(took).count();
  cache_rate_ = std::max<uint64_t>(
      1, static_cast<uint64_t>(static_cast<double>(cache_bytes_) / std::max(cache_seconds_, 1e-3)));
}

PeerCache::PeerCache(const std::string& address, std::shared_ptr<const Secret> key, HttpPool& pool,
                     std::shared_ptr<PeerPace> pace)
    : HttpCache(url_of(address), "http://" + address),
      key_(std::move(key)),
      pool_(pool),
      pace_(std::move(pace)) {}

std::unique_ptr<BinaryCache> PeerCache::clone() const {
  return std::make_unique<PeerCache>(settings().rest, key_, pool_, pace_);
}

// Not compressed, it has the size that was signed: of an endless one no more is read.
std::shared_ptr<HttpTransfer> PeerCache::start(const nix::NarInfo& info, size_t buffer) {
  HttpRequest request{.method = "GET",
                      .url = base() + "/" + narinfo_at_peer(info).url,
                      .timeout = milliseconds(0),
                      .max_body = BodyLimit(info.info.nar_size)};
  authorise(request);
  const size_t piece = info.info.nar_size <= buffer ? buffer : TransferOptions{}.piece;
  return pool_.start(std::move(request), {.buffer = buffer, .piece = piece, .retry = retry(), .on_done = {}});
}

std::unique_ptr<NarFile> PeerCache::open_nar(const nix::NarInfo& info, size_t buffer) {
  return std::make_unique<NarOfPeer>(start(info, buffer), info.info, settings().rest, pace_, false);
}

std::unique_ptr<NarFile> PeerCache::open_only(const nix::NarInfo& info, size_t buffer) {
  return std::make_unique<NarOfPeer>(start(info, buffer), info.info, settings().rest, pace_, true);
}

HttpRequest PeerCache::question(std::string body) const {
  HttpRequest request{.method = "POST",
                      .url = base() + std::string(peer_question_path),
                      .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
                      .body = std::move(body),
                      .max_body = BodyLimit(largest_peer_answer)};
  authorise(request);
  // Nobody waits for it alone.
  request.timeout = pace_->silence;
  request.stall_timeout = std::chrono::ceil<std::chrono::seconds>(pace_->silence);
  return request;
}

void PeerCache::authorise(HttpRequest& request) const {
  const std::string path = HttpUrl::parse(request.url).target;
  const std::string to = without_zone(settings().rest);
  const PeerRequest shown{.method = request.method, .path = path, .to = to, .body = sha256(request.body)};
  // A proxy on the way would be told what a node has, and the proof is for the peer that is dialled.
  request.is_direct = true;
  request.headers.emplace_back("Authorization",
                               make_peer_proof(*key_, shown, std::chrono::system_clock::now()));
  const milliseconds patience = pace_->patience;
  request.connect_timeout = pace_->silence;
  request.stall_timeout =
      std::max(std::chrono::seconds(1), std::chrono::ceil<std::chrono::seconds>(patience));
  // What is small is asked for with a time of its own, a NAR as long as it does not stall.
  if (request.timeout > milliseconds(0)) request.timeout = patience;
}

nix::NarInfo narinfo_at_peer(const nix::NarInfo& narinfo) {
  nix::NarInfo there = narinfo;
  there.url = fmt::format("{}{}.nar", nix::nar_directory, peer_name(narinfo.info));
  there.compression = "none";
  there.file_hash = narinfo.info.nar_hash;
  there.file_size = narinfo.info.nar_size;
  return there;
}

}  // namespace flox::store
