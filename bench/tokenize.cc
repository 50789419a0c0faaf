// Runs a tokenizer over many texts, for test/ticket/tokenizers.sh and bench/tokenize.sh.
//   tokenize DIRECTORY MAX_TOKENS <texts >ids         a text is its size (32 bits, little-endian) and its
//   bytes; ids are a line tokenize DIRECTORY decode <ids >texts             the other way round tokenize
//   DIRECTORY time MAX_TOKENS RUNS <texts    prints {"load_seconds", "seconds" (best run), "tokens", "bytes"}
#include <chrono>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <iterator>
#include <sstream>

#include "base/error.h"
#include "ticket/model/tokenizer.h"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<std::string_view> split_texts(std::string_view input) {
  std::vector<std::string_view> texts;
  while (!input.empty()) {
    uint32_t size = 0;
    if (input.size() >= sizeof size) std::memcpy(&size, input.data(), sizeof size);
    if (input.size() < sizeof size + size) flox::fail(flox::ErrorKind::invalid_input, "the input is cut off");
    texts.push_back(input.substr(sizeof size, size));
    input.remove_prefix(sizeof size + size);
  }
  return texts;
}

int run(int argc, char** argv) {
  if (argc < 3)
    flox::fail(flox::ErrorKind::invalid_input,
               "usage: tokenize DIRECTORY MAX_TOKENS | decode | time MAX_TOKENS RUNS");
  auto start = Clock::now();
  auto tokenizer = ticket::model::load_tokenizer(argv[1]);
  double load_seconds = seconds_since(start);
  std::string_view mode = argv[2];
  if (mode == "decode") {
    std::vector<int32_t> ids;
    for (std::string line; std::getline(std::cin, line);) {
      std::istringstream numbers(line);
      ids.assign(std::istream_iterator<int32_t>(numbers), {});
      std::string text = tokenizer->decode(ids);
      auto size = static_cast<uint32_t>(text.size());
      std::cout.write(reinterpret_cast<const char*>(&size), sizeof size) << text;
    }
    return 0;
  }
  std::string input(std::istreambuf_iterator<char>(std::cin), {});
  std::vector<std::string_view> texts = split_texts(input);
  if (mode == "time") {
    size_t max_tokens = std::stoul(argv[3]), tokens = 0;
    double best = 1e9;
    for (int runs = std::stoi(argv[4]); runs > 0; --runs) {
      tokens = 0;
      start = Clock::now();
      for (std::string_view text : texts) tokens += tokenizer->encode(text, max_tokens).size();
      best = std::min(best, seconds_since(start));
    }
    std::cout << "{\"load_seconds\": " << load_seconds << ", \"seconds\": " << best
              << ", \"tokens\": " << tokens << ", \"bytes\": " << input.size() - 4 * texts.size() << "}\n";
    return 0;
  }
  size_t max_tokens = std::stoul(argv[2]);
  std::string line;
  for (std::string_view text : texts) {
    line.clear();
    for (int32_t id : tokenizer->encode(text, max_tokens)) line.append(std::to_string(id)) += ' ';
    line.back() = '\n';
    std::cout << line;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    flox::print_error(error);
    return flox::exit_failure;
  }
}
