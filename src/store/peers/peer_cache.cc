#include "store/peers/peer_cache.h"

#include <utility>

#include "base/error.h"
#include "nix/cache_layout.h"
#include "store/peers/peer_proof.h"
#include "store/peers/peer_question.h"

namespace flox::store {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Counts what comes, and how long it was waited for: a reader that is slow itself is not the peer's fault.
class NarOfPeer : public NarFile {
 public:
  NarOfPeer(std::shared_ptr<HttpTransfer> transfer, std::string peer, std::shared_ptr<PeerPace> pace)
      : transfer_(std::move(transfer)), peer_(std::move(peer)), pace_(std::move(pace)) {}

  bool read(std::string& piece) override {
    const auto began = Clock::now();
    const bool has_more = in_context("peer " + peer_, [&] { return transfer_->read(piece); });
    waited_ += Clock::now() - began;
    if (!std::exchange(is_begun_, true)) check_status();
    if (!has_more) return false;
    bytes_ += piece.size();
    pace_->bytes += piece.size();
    const double seconds = std::chrono::duration<double>(waited_).count();
    const auto least = static_cast<double>(pace_->least_rate.load());
    if (waited_ > pace_->patience.load() && static_cast<double>(bytes_) < least * seconds)
      fail(ErrorKind::unavailable, "peer {}: it gives {:.0f} kB a second, and must give {:.0f}", peer_,
           static_cast<double>(bytes_) / seconds / 1000, least / 1000);
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

  std::shared_ptr<HttpTransfer> transfer_;
  std::string peer_;
  std::shared_ptr<PeerPace> pace_;
  Clock::duration waited_{};
  uint64_t bytes_ = 0;
  bool is_begun_ = false;
};

CacheUrl url_of(const std::string& address) { return CacheUrl::parse("http://" + address); }

}  // namespace

PeerCache::PeerCache(const std::string& address, std::shared_ptr<const Secret> key, HttpPool& pool,
                     std::shared_ptr<PeerPace> pace)
    : HttpCache(url_of(address), "http://" + address),
      key_(std::move(key)),
      pool_(pool),
      pace_(std::move(pace)) {}

std::unique_ptr<BinaryCache> PeerCache::clone() const {
  return std::make_unique<PeerCache>(base().substr(std::string_view("http://").size()), key_, pool_, pace_);
}

// Not compressed, it has the size that was signed: of an endless one no more is read.
std::unique_ptr<NarFile> PeerCache::open_nar(const nix::NarInfo& info, size_t buffer) {
  HttpRequest request{.method = "GET",
                      .url = base() + "/" + narinfo_at_peer(info).url,
                      .timeout = milliseconds(0),
                      .max_body = BodyLimit(info.info.nar_size)};
  authorise(request);
  const size_t piece = info.info.nar_size <= buffer ? buffer : TransferOptions{}.piece;
  return std::make_unique<NarOfPeer>(
      pool_.start(std::move(request), {.buffer = buffer, .piece = piece, .retry = retry(), .on_done = {}}),
      settings().rest, pace_);
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
  const PeerRequest shown{.method = request.method, .path = path, .body = sha256(request.body)};
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
