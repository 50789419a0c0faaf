// Runs one model over lines of standard input, for the tests and benchmarks that compare it with Python.
//
//   model_run embed|classify|summarize|all DIRECTORY [--tokens] [--precision fp32|fp16|int8] [--batch N]
//   [--min N] [--max N]
//   (without --precision: fp16 for summaries, fp32 for the others; "all" takes encoder_precision() for the
//   others)
//
//   model_run levels      the levels that this processor can run, best first, each with its weight_limit
//
//   model_run machine     how fast this machine can be, on TICKET_THREADS threads: what the kernels do with
//   all in cache,
//                         and how fast they read weights that are not
//
// A line is a JSON string, or with --tokens a JSON list of token ids; each is answered by a line of JSON: a
// vector, a label with its score (with --tokens: logits), a summary (its ids). Standard error gets one line
// of JSON at the end: seconds of loading and computing, peak memory in kB, and for summaries how much was
// computed.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "ticket/model/kernel.h"
#include "ticket/model/matrix.h"
#include "ticket/model/sentence_encoder.h"
#include "ticket/model/sentiment_classifier.h"
#include "ticket/model/summarizer.h"
#include "ticket/model/thread_pool.h"

namespace ticket::model {
namespace {

using nlohmann::json;
using Sequences = std::vector<std::vector<int32_t>>;

struct Options {
  std::string model, directory;
  std::optional<Precision> precision;
  bool tokens = false;
  size_t batch = 10;
  SummaryLimits limits;
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

long peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Best of several runs of `body` on every thread at once, in units a second.
double best_rate(double units, const std::function<void(size_t)>& body) {
  ThreadPool& pool = ThreadPool::shared();
  double best = 0;
  for (int run = 0; run < 10; ++run) {
    const double begin = now();
    pool.for_each(pool.threads(), 100'000'000, body);
    best = std::max(best, units * pool.threads() / (now() - begin));
  }
  return best;
}

json measure_machine() {
  constexpr size_t rows = 48, depth = 256, repeats = 400;  // 48 kB of inputs, 16 kB of weights
  const size_t panel = kernels().panel, threads = ThreadPool::shared().threads();
  Matrix x(rows * threads, depth), weights(panel, depth), y(rows * threads, panel);
  const double flops =
      best_rate(2.0 * rows * depth * static_cast<double>(panel) * repeats, [&](size_t thread) {
        const Product product{.x = x.row(rows * thread),
                              .x_stride = depth,
                              .rows = rows,
                              .depth = depth,
                              .panels = weights.data(),
                              .y = y.row(rows * thread),
                              .y_stride = panel,
                              .outputs = panel};
        for (size_t i = 0; i < repeats; ++i) kernels().multiply_f32(product, 0, 1);
      });
  constexpr size_t bytes = 128 << 20;  // a thread
  const size_t panels = bytes / (depth * panel * sizeof(float));
  Matrix much(panels * panel * threads, depth), out(threads, panels * panel);
  std::fill_n(much.data(), much.rows() * depth, 1.0f);
  const double rate = best_rate(bytes, [&](size_t thread) {
    const Product product{.x = x.data(),
                          .x_stride = depth,
                          .rows = 1,
                          .depth = depth,
                          .panels = much.row(panels * panel * thread),
                          .y = out.row(thread),
                          .y_stride = panels * panel,
                          .outputs = panels * panel};
    kernels().multiply_f32(product, 0, panels);
  });
  return {
      {"gflops", flops * 1e-9}, {"read_gb", rate * 1e-9}, {"level", kernels().level}, {"threads", threads}};
}

// Answers a batch of lines.
using Answer = std::function<std::vector<json>(const std::vector<json>&)>;

template <typename T>
std::vector<T> parsed(const std::vector<json>& lines) {
  std::vector<T> values;
  for (const json& line : lines) values.push_back(line.get<T>());
  return values;
}

Answer embedder(const Options& options) {
  std::shared_ptr<SentenceEncoder> encoder =
      SentenceEncoder::load(options.directory, options.precision.value_or(Precision::fp32));
  return [encoder, tokens = options.tokens](const std::vector<json>& lines) {
    auto vectors = tokens ? encoder->embed_tokens(parsed<std::vector<int32_t>>(lines))
                          : encoder->embed(parsed<std::string>(lines));
    return std::vector<json>(vectors.begin(), vectors.end());
  };
}

Answer classifier(const Options& options) {
  std::shared_ptr<SentimentClassifier> classifier =
      SentimentClassifier::load(options.directory, options.precision.value_or(Precision::fp32));
  return [classifier, tokens = options.tokens](const std::vector<json>& lines) {
    std::vector<json> answers;
    if (tokens) {
      for (auto& logits : classifier->logits(parsed<std::vector<int32_t>>(lines)))
        answers.emplace_back(logits);
    } else {
      for (const Sentiment& sentiment : classifier->classify(parsed<std::string>(lines)))
        answers.push_back({{"label", sentiment.label}, {"score", sentiment.score}});
    }
    return answers;
  };
}

Answer summarizer(const Options& options, SummaryTimes& total) {
  std::shared_ptr<Summarizer> summarizer =
      Summarizer::load(options.directory, options.precision.value_or(Precision::fp16_weights));
  return [summarizer, &total, options](const std::vector<json>& lines) {
    SummaryTimes times;
    std::vector<json> answers;
    if (options.tokens) {
      for (auto& ids : summarizer->generate(parsed<std::vector<int32_t>>(lines), options.limits, &times))
        answers.emplace_back(ids);
    } else {
      for (auto& text : summarizer->summarize(parsed<std::string>(lines), options.limits, &times))
        answers.emplace_back(text);
    }
    total.tokenize += times.tokenize;
    total.encode += times.encode;
    total.decode += times.decode;
    total.source_tokens += times.source_tokens;
    total.steps += times.steps;
    total.rows += times.rows;
    return answers;
  };
}

// Calls the answers of all three and adds up what each took.
Answer everything(const Options& options, SummaryTimes& times, json& seconds) {
  Options part = options;
  std::vector<std::pair<std::string, Answer>> stages;
  for (const char* stage : {"embed", "classify", "summarize"}) {
    part.directory = options.directory + "/" + stage;
    part.precision = stage == std::string("summarize") || !options.precision
                         ? options.precision
                         : encoder_precision(*options.precision);
    stages.emplace_back(stage, stage == std::string("embed")      ? embedder(part)
                               : stage == std::string("classify") ? classifier(part)
                                                                  : summarizer(part, times));
    seconds[stage] = 0.0;
  }
  return [stages, &seconds](const std::vector<json>& lines) {
    std::vector<json> answers(lines.size(), json::object());
    for (const auto& [stage, answer] : stages) {
      const double begin = now();
      std::vector<json> results = answer(lines);
      for (size_t i = 0; i < lines.size(); ++i) answers[i][stage] = std::move(results[i]);
      seconds[stage] = seconds[stage].get<double>() + now() - begin;
    }
    return answers;
  };
}

void run(const Options& options) {
  if (options.model == "levels") {
    for (const Kernels* level : runnable_kernels())
      std::cout << level->level << ' ' << level->weight_limit << '\n';
    return;
  }
  if (options.model == "machine") {
    std::cout << measure_machine() << '\n';
    return;
  }
  const double begin = now();
  SummaryTimes times;
  json stages = json::object();
  Answer answer = options.model == "embed"       ? embedder(options)
                  : options.model == "classify"  ? classifier(options)
                  : options.model == "summarize" ? summarizer(options, times)
                                                 : everything(options, times, stages);
  const double loaded = now();
  std::vector<json> lines;
  for (std::string line; std::getline(std::cin, line);)
    lines.push_back(flox::parse_json(line, "input", {.bytes = 64 << 20}));
  const double read = now(), processor = processor_seconds();
  for (size_t first = 0; first < lines.size(); first += options.batch) {
    auto end = lines.begin() + static_cast<std::ptrdiff_t>(std::min(first + options.batch, lines.size()));
    for (const json& result : answer({lines.begin() + static_cast<std::ptrdiff_t>(first), end}))
      std::cout << result.dump() << '\n';
  }
  json report{{"level", kernels().level},
              {"threads", ThreadPool::shared().threads()},
              {"load", loaded - begin},
              {"compute", now() - read},
              {"cpu", processor_seconds() - processor},
              {"count", lines.size()},
              {"peak_kb", peak_memory()},
              {"stages", stages},
              {"tokenize", times.tokenize},
              {"encode", times.encode},
              {"decode", times.decode},
              {"source_tokens", times.source_tokens},
              {"steps", times.steps},
              {"rows", times.rows}};
  std::cerr << report << '\n';
}

}  // namespace
}  // namespace ticket::model

int main(int argc, char** argv) {
  try {
    ticket::model::Options options;
    std::string precision;
    CLI::App app("Runs one model over lines of JSON");
    app.add_option("MODEL", options.model)
        ->required()
        ->check(CLI::IsMember({"embed", "classify", "summarize", "all", "levels", "machine"}));
    app.add_option("DIRECTORY", options.directory);
    app.add_flag("--tokens", options.tokens, "Lines are token ids");
    app.add_option("--precision", precision);
    app.add_option("--batch", options.batch)->check(CLI::PositiveNumber);
    app.add_option("--min", options.limits.min_length);
    app.add_option("--max", options.limits.max_length);
    CLI11_PARSE(app, argc, argv);
    if (!precision.empty()) options.precision = ticket::model::parse_precision(precision);
    ticket::model::run(options);
    return 0;
  } catch (const std::exception& error) {
    flox::print_error(error);
    return 1;
  }
}
