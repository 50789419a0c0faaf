#include "ticket/pipeline/enricher.h"

#include <algorithm>
#include <variant>

#include "ticket/enrich/words.h"
#include "ticket/pipeline/enriched_ticket.h"

namespace ticket {

using flox::Error;
using flox::ErrorKind;
using nlohmann::ordered_json;

namespace {

constexpr size_t sentiment_words = 400;
constexpr size_t summary_words = 700;
constexpr size_t shortest_body_in_words = 20;
constexpr size_t fallback_characters = 100;
const Sentiment neutral{.label = "NEUTRAL", .confidence = 0.5};

// "subject. body"; the other one if one is empty.
std::string joined(const RawTicket& ticket) {
  if (ticket.subject.empty()) return ticket.body;
  if (ticket.body.empty()) return ticket.subject;
  return ticket.subject + ". " + ticket.body;
}

// What needs no model; nothing if one is asked.
std::optional<std::string> summary_by_rule(const RawTicket& ticket) {
  if (ticket.body.empty()) return ticket.subject;
  if (word_count(ticket.body) >= shortest_body_in_words) return std::nullopt;
  return ticket.subject.empty() ? first_characters(ticket.body, fallback_characters) : ticket.subject;
}

std::string summary_without_model(const RawTicket& ticket) {
  return first_characters(ticket.subject.empty() ? ticket.body : ticket.subject, fallback_characters);
}

std::string finished_sentence(const std::string& summary) {
  std::string text = stripped(summary);
  if (text.empty()) throw Error(ErrorKind::internal, "the summary is empty");
  return std::string(".!?").find(text.back()) == std::string::npos ? text + "." : text;
}

template <typename Result>
using ResultOrError = std::variant<Result, Error>;

template <typename Result, typename Call>
std::vector<Result> checked(const std::vector<std::string>& texts, const Call& call) {
  return flox::in_context("running the model", [&] {
    std::vector<Result> results = call(texts);
    if (results.size() != texts.size())
      flox::fail(ErrorKind::internal, "it gave {} results for {} texts", results.size(), texts.size());
    return results;
  });
}

// All texts at once; if that fails, each for itself, so that a text the model cannot take costs the others
// nothing.
template <typename Result, typename Call>
std::vector<ResultOrError<Result>> run_model(const std::vector<std::string>& texts, const Call& call) {
  std::vector<ResultOrError<Result>> results;
  if (texts.empty()) return results;
  try {
    for (Result& result : checked<Result>(texts, call)) results.emplace_back(std::move(result));
    return results;
  } catch (const Error& error) {
    results.clear();
    if (texts.size() == 1) return results.emplace_back(error), results;
  }
  for (const std::string& text : texts) {
    try {
      results.emplace_back(std::move(checked<Result>({text}, call).front()));
    } catch (const Error& error) {
      results.emplace_back(error);
    }
  }
  return results;
}

// Which tickets' texts a model is asked about.
struct Questions {
  std::vector<size_t> tickets;
  std::vector<std::string> texts;
  void ask(size_t ticket, std::string text) {
    tickets.push_back(ticket);
    texts.push_back(std::move(text));
  }
};

}  // namespace

struct Enricher::Findings : ModelFindings {
  std::optional<Error> error;
};

void Enricher::fall_back(const RawTicket& ticket, const char* field, const Error& error,
                         Findings& findings) const {
  findings.fallbacks.emplace_back(field);
  if (events_.fell_back) events_.fell_back(ticket, field, error);
}

void Enricher::find_embeddings(const std::vector<RawTicket>& tickets, All& all) const {
  EmbeddingModel& model = *models_.embedding.model;
  Questions questions;
  for (size_t i = 0; i < tickets.size(); ++i) {
    std::string text = stripped(joined(tickets[i]));
    if (text.empty())
      all[i].embedding = std::vector<float>(model.dimension());
    else
      questions.ask(i, std::move(text));
  }
  auto results =
      run_model<std::vector<float>>(questions.texts, [&](auto& texts) { return model.embed(texts); });
  for (size_t i = 0; i < results.size(); ++i) {
    Findings& findings = all[questions.tickets[i]];
    if (auto* error = std::get_if<Error>(&results[i]))
      findings.error = error->with_context("computing the embedding");
    else
      findings.embedding = std::get<0>(std::move(results[i]));
  }
}

void Enricher::find_sentiments(const std::vector<RawTicket>& tickets, All& all) const {
  Questions questions;
  for (size_t i = 0; i < tickets.size(); ++i) {
    std::string text = joined(tickets[i]);
    all[i].sentiment = neutral;
    if (!is_blank(text)) questions.ask(i, first_words(text, sentiment_words));
  }
  auto results = run_model<Sentiment>(questions.texts,
                                      [&](auto& texts) { return models_.sentiment.model->classify(texts); });
  for (size_t i = 0; i < results.size(); ++i) {
    size_t ticket = questions.tickets[i];
    if (auto* error = std::get_if<Error>(&results[i])) {
      fall_back(tickets[ticket], "sentiment", *error, all[ticket]);
    } else {
      const auto& found = std::get<Sentiment>(results[i]);
      if (found.confidence < 0.45 || found.confidence > 0.55) all[ticket].sentiment = found;
    }
  }
}

void Enricher::find_summaries(const std::vector<RawTicket>& tickets, All& all) const {
  Questions questions;
  for (size_t i = 0; i < tickets.size(); ++i) {
    all[i].summary = summary_by_rule(tickets[i]);
    if (!all[i].summary) questions.ask(i, first_words(joined(tickets[i]), summary_words));
  }
  auto results = run_model<std::string>(questions.texts, [&](auto& texts) {
    std::vector<std::string> summaries = models_.summary.model->summarize(texts);
    for (std::string& summary : summaries) summary = finished_sentence(summary);
    return summaries;
  });
  for (size_t i = 0; i < results.size(); ++i) {
    size_t ticket = questions.tickets[i];
    if (auto* error = std::get_if<Error>(&results[i])) {
      all[ticket].summary = summary_without_model(tickets[ticket]);
      fall_back(tickets[ticket], "summary", *error, all[ticket]);
    } else {
      all[ticket].summary = std::get<std::string>(std::move(results[i]));
    }
  }
}

std::vector<EnrichedOrError> Enricher::enrich(const std::vector<RawTicket>& tickets) const {
  All all(tickets.size());
  auto stage = [&](const char* name, const auto& slot,
                   void (Enricher::*find)(const std::vector<RawTicket>&, All&) const) {
    if (!slot.model) return;
    if (events_.cancelled && events_.cancelled())
      flox::fail(ErrorKind::unavailable, "the enrichment was cut off");
    auto begin = std::chrono::steady_clock::now();
    (this->*find)(tickets, all);
    if (events_.stage_done) events_.stage_done(name, std::chrono::steady_clock::now() - begin);
  };
  stage("embedding", models_.embedding, &Enricher::find_embeddings);
  stage("sentiment", models_.sentiment, &Enricher::find_sentiments);
  stage("summary", models_.summary, &Enricher::find_summaries);

  std::vector<EnrichedOrError> results(tickets.size());
  for (size_t i = 0; i < tickets.size(); ++i) {
    results[i].error = all[i].error;
    if (results[i].error) continue;
    all[i].missing = models_.missing();
    all[i].model_version = models_.version();
    results[i].enriched = enriched_ticket(tickets[i], all[i], std::chrono::system_clock::now());
  }
  return results;
}

ordered_json Enricher::enrich(const RawTicket& ticket) const {
  EnrichedOrError result = std::move(enrich(std::vector{ticket}).front());
  if (result.error) throw *result.error;
  return std::move(result.enriched);
}

}  // namespace ticket
