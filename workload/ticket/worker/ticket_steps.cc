#include "ticket/worker/ticket_steps.h"

#include <cmath>

#include "base/error.h"
#include "base/foreign_error.h"
#include "ticket/event_log.h"

namespace ticket {

using flox::ErrorKind;
using nlohmann::ordered_json;
using std::chrono::steady_clock;

TicketSteps::TicketSteps(const Settings& settings, Parts parts)
    : settings_(settings),
      parts_(parts),
      enricher_(parts.models, enrichment_events()),
      tickets_(settings, parts.store, parts.table, parts.metrics) {}

EnrichmentEvents TicketSteps::enrichment_events() {
  return {.stage_done = [this](const char* stage, Seconds time) { parts_.metrics.stage(stage, time); },
          .fell_back =
              [this](const RawTicket& ticket, const char* field, const flox::Error& error) {
                parts_.metrics.fell_back(field);
                log_event(Level::warning, "a rule stands in for a model that failed",
                          {{"ticket_id", ticket.ticket_id}, {"field", field}, {"error", error.what()}});
              },
          .cancelled = [this] { return parts_.stop.grace_is_over(); }};
}

template <typename Step>
void TicketSteps::attempt(Job& job, const Step& step) {
  if (job.over) return;
  if (parts_.stop.grace_is_over()) return job.end(Outcome::dropped);
  std::string reason;
  try {
    step();
    return;
  } catch (const Rejected& rejected) {
    job.end(Outcome::rejected);
    reason = rejected.reason, job.problem = rejected.problem;
  } catch (const flox::Error& error) {
    if (parts_.stop.grace_is_over()) return job.end(Outcome::dropped);  // its calls were cut off
    // What a service does not accept is the ticket's fault (an item over 400 kB, say); all else may pass.
    bool its_fault = error.kind() == ErrorKind::invalid_input ||
                     (error.kind() == ErrorKind::not_found && job.record.bucket != settings_.raw_bucket);
    job.end(its_fault ? Outcome::rejected : Outcome::failed);
    reason = reason_of(error.kind()), job.problem = error.what();
  } catch (const std::exception& error) {  // memory that is not there, a library's complaint: of this ticket
    job.end(Outcome::rejected);
    reason = reason_of(ErrorKind::internal), job.problem = flox::message_of(error);
  }
  ++parts_.counts.failed;
  if (job.outcome == Outcome::failed) ++parts_.counts.troubles;
  parts_.metrics.failed(reason);
  ordered_json fields = {{"message_id", job.message->id},
                         {"key", job.record.key},
                         {"receive_count", job.message->receive_count},
                         {"reason", reason},
                         {"error", job.problem}};
  if (job.ticket) fields["ticket_id"] = job.ticket->ticket_id;
  log_event(
      Level::error,
      job.outcome == Outcome::rejected ? "ticket cannot be processed" : "ticket failed and is tried again",
      fields);
}

void TicketSteps::fetch(Job& job) {
  attempt(job, [&] {
    if (!job.record.problem.empty()) throw Rejected{"record", job.record.problem};
    job.ticket = tickets_.fetch(job.record.bucket, job.record.key);
    // A worker that had it before may have come as far as the object: no model need run again.
    if (job.message->receive_count > 1)
      if (auto enriched = tickets_.find_enriched(*job.ticket)) job.enriched = std::move(*enriched);
  });
}

void TicketSteps::enrich(std::vector<Job*> jobs) {
  std::erase_if(jobs, [](const Job* job) { return job->over || !job->enriched.is_null(); });
  if (jobs.empty()) return;
  std::vector<RawTicket> tickets;
  for (const Job* job : jobs) tickets.push_back(*job->ticket);
  parts_.metrics.enriched_together(tickets.size());
  std::vector<EnrichedOrError> results = run_models(tickets);
  for (size_t i = 0; i < jobs.size(); ++i)
    attempt(*jobs[i], [&] {
      if (results[i].error) throw *results[i].error;
      jobs[i]->enriched = std::move(results[i].enriched);
    });
}

// All together; where that fails as a whole, each for itself.
std::vector<EnrichedOrError> TicketSteps::run_models(const std::vector<RawTicket>& tickets) {
  std::optional<flox::Error> problem;
  try {
    StageTimer timer(parts_.metrics, "enrich");
    return enricher_.enrich(tickets);
  } catch (const flox::Error& error) {
    problem = error;
  } catch (const std::exception& error) {
    problem = flox::Error(ErrorKind::invalid_input, flox::message_of(error));
  }
  if (tickets.size() == 1) return {{.enriched = {}, .error = problem}};
  std::vector<EnrichedOrError> results;
  for (const RawTicket& ticket : tickets) results.push_back(std::move(run_models({ticket}).front()));
  return results;
}

void TicketSteps::store(Job& job) {
  attempt(job, [&] {
    const std::string& id = job.ticket->ticket_id;
    if (tickets_.store(*job.ticket, std::move(job.enriched))) {
      ++parts_.counts.processed;
      parts_.metrics.processed();
      double milliseconds =
          std::chrono::duration<double, std::milli>(steady_clock::now() - job.begin).count();
      log_event(Level::info, "ticket enriched",
                {{"ticket_id", id}, {"milliseconds", std::round(milliseconds * 100) / 100}});
    } else {
      ++parts_.counts.duplicates;
      parts_.metrics.duplicate();
      log_event(Level::info, "ticket was complete already",
                {{"ticket_id", id}, {"receive_count", job.message->receive_count}});
    }
    job.end(Outcome::done);
  });
}

}  // namespace ticket
