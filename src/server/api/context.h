// What the API's resources share.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "base/net/server/metrics_page.h"
#include "base/trace/span.h"
#include "server/api/rate_limits.h"
#include "server/api/trust.h"
#include "server/files/cache_files.h"
#include "server/identity/accounts.h"
#include "server/identity/caller.h"
#include "server/records/attestations.h"
#include "server/records/environments.h"
#include "server/records/records.h"
#include "server/records/registered_keys.h"
#include "server/records/start_profiles.h"

namespace flox::server {

struct ApiOptions {
  RateLimit token_limit, address_limit;  // requests of one token; of one address without a token
  trace::SpanSink* spans = nullptr;  // where requests are recorded; null: nowhere. It must outlive the API
  std::string public_url;            // how clients reach the catalog; empty: as their Host field says
  std::function<std::string()> further_metrics = [] { return std::string(); };  // Prometheus' text format
  std::function<bool()> is_stopping = [] { return false; };  // no more clients should be sent here
};

struct ApiMetrics {
  MetricsPage page;
  MetricsPage::Family<MetricsPage::Gauge>& ready =
      page.gauges("flox_catalog_ready", "1 if this part answered when it was last asked.");
  MetricsPage::Gauge& builds = page.gauge("flox_catalog_builds", "Builds of packages that are recorded.");
  MetricsPage::Gauge& store_bytes =
      page.gauge("flox_catalog_store_bytes", "Bytes of the binary cache's files.");
  MetricsPage::Counter& requests = page.counter("flox_catalog_requests_total", "Requests.");
  MetricsPage::Counter& published = page.counter("flox_catalog_published_total", "Builds published.");
  MetricsPage::Counter& yanked =
      page.counter("flox_catalog_yanked_total", "Versions yanked, or no longer yanked.");
  MetricsPage::Counter& expired = page.counter(
      "flox_catalog_expired_total", "Builds and generations that rules of retention have removed.");
  MetricsPage::Counter& collections =
      page.counter("flox_catalog_gc_total", "Garbage collections of the binary cache.");
  MetricsPage::Counter& collected_paths =
      page.counter("flox_catalog_gc_paths_total", "Store paths that garbage collections removed.");
  MetricsPage::Counter& collected_bytes =
      page.counter("flox_catalog_gc_bytes_total", "Bytes that garbage collections freed.");
  MetricsPage::Counter& nars_served = page.counter("flox_catalog_nars_served_total", "NAR files served.");
  MetricsPage::Family<MetricsPage::Counter>& refused = page.counters(
      "flox_catalog_refused_total", "Requests that were refused for want of permission, by reason.");
  MetricsPage::Family<MetricsPage::Counter>& limited =
      page.counters("flox_catalog_rate_limited_total", "Requests answered with 429, by whose they were.");
  MetricsPage::Counter& limited_tokens = limited.Add({{"by", "token"}});
  MetricsPage::Counter& limited_addresses = limited.Add({{"by", "address"}});
  MetricsPage::Gauge& audit_failures =
      page.gauge("flox_catalog_audit_failures", "Lines that could not be written to the audit log.");
  MetricsPage::Counter& uploads_refused =
      page.counter("flox_catalog_uploads_refused_total", "Uploads that were refused.");
  MetricsPage::Counter& metadata_refused = page.counter(
      "flox_catalog_metadata_refused_total",
      "Publications and metadata that were refused because they are not signed as they must be.");
  MetricsPage::Family<MetricsPage::Gauge>& metadata_expires =
      page.gauges("flox_catalog_metadata_expires_timestamp_seconds",
                  "Unix time at which the first file of this kind of any owner expires; 0: there is none.");
  MetricsPage::Gauge& root_expires = metadata_expires.Add({{"file", "root.json"}});
  MetricsPage::Gauge& targets_expires = metadata_expires.Add({{"file", "targets.json"}});
};

// The references must outlive it.
struct ApiContext {
  Records& records;
  EnvironmentRecords& environments;
  AttestationRecords& attestations;
  StartProfileRecords& start_profiles;
  TrustService& trust;
  CacheFiles& cache;
  const RegisteredKeys& keys;
  Accounts& accounts;
  ApiOptions options;
  ApiMetrics metrics{};
  std::mutex collecting{};  // held by who collects garbage

  ApiContext(Records& its_records, EnvironmentRecords& its_environments, AttestationRecords& its_attestations,
             StartProfileRecords& its_start_profiles, TrustService& its_trust, CacheFiles& its_cache,
             const RegisteredKeys& its_keys, Accounts& its_accounts, ApiOptions its_options)
      : records(its_records),
        environments(its_environments),
        attestations(its_attestations),
        start_profiles(its_start_profiles),
        trust(its_trust),
        cache(its_cache),
        keys(its_keys),
        accounts(its_accounts),
        options(std::move(its_options)) {
    // Zero until something is refused: an alert on an increase sees the first, too.
    for (const char* reason :
         {"no_token", "unknown_token", "expired_token", "revoked_token", "other_owner", "scope", "exchange"})
      metrics.refused.Add({{"reason", reason}});
  }
};

// Counts and logs what `work` refuses as not signed as it must be.
template <typename Work>
auto counting_refusals(ApiContext& context, Work&& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::untrusted && dynamic_cast<const Refusal*>(&error) == nullptr) {
      context.metrics.metadata_refused.Increment();
      log::warning("refused: {}", error.what());
    }
    throw;
  }
}

// Reserved space in the data directory for a row; released unless it is kept.
class Reservation {
 public:
  Reservation(CacheFiles& cache, uint64_t bytes) : cache_(cache), bytes_(bytes) { cache_.reserve(bytes); }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  ~Reservation() {
    if (!is_kept_) cache_.release(bytes_);
  }
  void keep() const noexcept {
    cache_.keep(bytes_);
    is_kept_ = true;
  }

 private:
  CacheFiles& cache_;
  uint64_t bytes_;
  mutable bool is_kept_ = false;
};

}  // namespace flox::server
