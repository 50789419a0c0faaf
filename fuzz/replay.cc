// fuzz_replay: the fuzz targets without a fuzzer. Each target gets every input of its corpus, and then inputs
// made from them, always the same ones: so what a program's own build makes of them is seen at every run of
// the tests. What is new is found by the instrumented build (script/fuzz).
//   fuzz_replay CORPUS RUNS FINDINGS [TARGET…]
// CORPUS and FINDINGS are directories; RUNS is how many inputs are made for each target. A line for each
// target. An input that breaks a promise, that ends the process or that takes a minute is kept in FINDINGS,
// and the exit code is 1.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>

#include "fuzz.h"
#include "targets.h"

namespace flox::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr size_t most_bytes = 1 << 16;         // of an input that is made
constexpr unsigned most_seconds = 60;          // that one input may take
constexpr auto most_memory = rlim_t{8} << 30;  // of address space

// The input that is being tried, where the parent sees it when the child has died of it.
struct Tried {
  size_t size;
  char bytes[4 << 20];
};

std::vector<std::string> corpus_of(const fs::path& directory) {
  std::vector<fs::path> names;
  if (fs::exists(directory))
    for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path());
  std::sort(names.begin(), names.end());
  std::vector<std::string> inputs;
  for (const auto& name : names) {
    std::ifstream file(name, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (inputs.empty()) inputs.emplace_back();
  return inputs;
}

// Makes inputs of others by what goes wrong with bytes: bits flip, pieces are lost, doubled, moved, or come
// from elsewhere.
class Maker {
 public:
  explicit Maker(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

  std::string next() {
    std::string input = seed();
    for (size_t changes = 1 + below(6); changes > 0; --changes) change(input);
    if (input.size() > most_bytes) input.resize(most_bytes);
    return input;
  }

 private:
  // Not uniform, but the same everywhere, which std::uniform_int_distribution is not.
  size_t below(size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  const std::string& seed() { return seeds_[below(seeds_.size())]; }
  std::string piece(const std::string& of) {
    const size_t begin = below(of.size());
    return of.substr(begin, 1 + below(std::min<size_t>(of.size() - begin, 64)));
  }

  void change(std::string& input) {
    static constexpr std::string_view telling[] = {{"\0", 1},
                                                   "\xff",
                                                   "\n",
                                                   "\"",
                                                   "\\",
                                                   "{",
                                                   "[",
                                                   "-1",
                                                   "..",
                                                   "/",
                                                   "%00",
                                                   "\x80",
                                                   "99999999999999999999",
                                                   "1e999",
                                                   "\xed\xa0\x80",
                                                   ":",
                                                   "=",
                                                   "'",
                                                   "#",
                                                   " "};
    const size_t at = below(input.size() + 1);
    switch (below(7)) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
        break;
      case 1:
        if (at < input.size()) input[at] = static_cast<char>(random_());
        break;
      case 2:
        input.erase(at, below(at % 2 ? 4 : 64));
        break;
      case 3:
        input.insert(at, telling[below(std::size(telling))]);
        break;
      case 4:
        if (!input.empty()) input.insert(at, piece(input));
        break;
      case 5:
        if (const std::string& other = seed(); !other.empty()) input.insert(at, piece(other));
        break;
      default:
        if (const std::string& other = seed(); !other.empty())
          input = input.substr(0, at) + other.substr(below(other.size()));
    }
  }

  std::vector<std::string> seeds_;
  std::mt19937 random_{1};
};

void try_one(void (*one)(std::string_view), std::string_view input, Tried& tried) {
  tried.size = std::min(input.size(), sizeof(tried.bytes));
  std::copy_n(input.data(), tried.size, tried.bytes);
  alarm(most_seconds);
  try {
    one(expanded(input));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "an exception left the parser: %s\n", error.what());
    std::abort();
  }
}

// True if the target holds all its promises.
bool replay(std::string_view name, void (*one)(std::string_view), const fs::path& corpus, size_t runs,
            const fs::path& findings, Tried& tried) {
  const std::vector<std::string> seeds = corpus_of(corpus / name);
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == -1) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    const rlimit memory{most_memory, most_memory}, no_dump{0, 0};
    setrlimit(RLIMIT_AS, &memory);
    setrlimit(RLIMIT_CORE, &no_dump);
    for (const std::string& seed : seeds) try_one(one, seed, tried);
    Maker maker(seeds);
    for (size_t run = 0; run < runs; ++run) try_one(one, maker.next(), tried);
    std::_Exit(0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) == -1 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    std::printf("  ok    %-20.*s %6zu inputs\n", static_cast<int>(name.size()), name.data(),
                seeds.size() + runs);
    return true;
  }
  const fs::path kept = findings / (std::string(name) + "-finding");
  std::ofstream(kept, std::ios::binary).write(tried.bytes, static_cast<std::streamsize>(tried.size));
  std::printf("  FOUND %-20.*s %s %d; the input is %s\n", static_cast<int>(name.size()), name.data(),
              WIFSIGNALED(status) ? "ended by signal" : "ended with",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), kept.c_str());
  return false;
}

int main_program(std::span<char*> arguments) {
  if (arguments.size() < 4) {
    std::fprintf(stderr, "usage: fuzz_replay CORPUS RUNS FINDINGS [TARGET…]\n");
    return 2;
  }
  const auto wanted = arguments.subspan(4);
  for (std::string_view name : wanted)
    if (std::none_of(std::begin(targets), std::end(targets),
                     [&](const auto& target) { return target.first == name; })) {
      std::fprintf(stderr, "there is no fuzz target '%s' (see fuzz/)\n", std::string(name).c_str());
      return 2;
    }
  auto* tried = static_cast<Tried*>(
      mmap(nullptr, sizeof(Tried), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (tried == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  size_t found = 0;
  for (const auto& [name, one] : targets) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) continue;
    // Each run verifies a store.
    const size_t runs = std::stoul(arguments[2]) / (name == "pod_requests" ? 20 : 1);
    found += !replay(name, one, arguments[1], runs, arguments[3], *tried);
  }
  return found == 0 ? 0 : 1;
}

}  // namespace
}  // namespace flox::fuzz

int main(int count, char** arguments) {
  try {
    return flox::fuzz::main_program({arguments, static_cast<size_t>(count)});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fuzz_replay: %s\n", error.what());
    return 2;
  }
}
