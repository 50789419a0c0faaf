// The enrichment: rules, three models, and the reference's rules around the models.
//
//   embedding  of "subject. body"; a blank text has all zeros.
//   sentiment  of the first 400 words of "subject. body". NEUTRAL 0.5 for a blank text, for a confidence
//   within
//              0.45 to 0.55, and where the model fails.
//   summary    of the first 700 words of "subject. body", ended with a full stop if it has no end of its own.
//              Without a model's help: "" if subject and body are empty; the subject if the body is empty or
//              has under 20 words (the body's first 100 characters if there is no subject). Where the model
//              fails: the first 100 characters of the subject, or else of the body.
//
// Where a model failed and a rule stands in, the ticket says so in "fallbacks". Where a model is missing, its
// members are absent and the ticket says so in "missing_models": nothing is invented.
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/error.h"
#include "ticket/pipeline/models.h"
#include "ticket/pipeline/raw_ticket.h"

namespace ticket {

struct EnrichedOrError {
  nlohmann::ordered_json enriched;   // pipeline/enriched_ticket.h; empty if it failed
  std::optional<flox::Error> error;  // the embedding, for which no rule can stand in
};

// Hears what happens on the way; any member may be empty.
struct EnrichmentEvents {
  // "embedding", "sentiment" or "summary", for all tickets of a call together.
  std::function<void(const char* stage, std::chrono::duration<double>)> stage_done;
  // A rule stood in for a model that failed.
  std::function<void(const RawTicket&, const char* field, const flox::Error&)> fell_back;
  // Asked before each model; true ends the call with Error(unavailable).
  std::function<bool()> cancelled;
};

class Enricher {
 public:
  // `models` must outlive it.
  explicit Enricher(const Models& models, EnrichmentEvents events = {})
      : models_(models), events_(std::move(events)) {}

  // One result a ticket, in their order. A ticket that fails costs the others nothing.
  std::vector<EnrichedOrError> enrich(const std::vector<RawTicket>& tickets) const;
  // Of a single one. Throws.
  nlohmann::ordered_json enrich(const RawTicket& ticket) const;
  const Models& models() const noexcept { return models_; }

 private:
  struct Findings;
  using All = std::vector<Findings>;
  void find_embeddings(const std::vector<RawTicket>& tickets, All& all) const;
  void find_sentiments(const std::vector<RawTicket>& tickets, All& all) const;
  void find_summaries(const std::vector<RawTicket>& tickets, All& all) const;
  void fall_back(const RawTicket& ticket, const char* field, const flox::Error& error,
                 Findings& findings) const;

  const Models& models_;
  EnrichmentEvents events_;
};

}  // namespace ticket
