#include "package/debian/apt_repository.h"

#include <algorithm>
#include <cctype>
#include <chrono>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/letter_case.h"
#include "base/os/process.h"

namespace flox::package {
namespace {

constexpr size_t max_sources = 64 << 10;  // bytes
constexpr auto fresh_for = std::chrono::hours(1);
constexpr std::string_view keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

#if defined(__x86_64__)
constexpr std::string_view architecture = "amd64";
#else
constexpr std::string_view architecture = "arm64";
#endif

std::string stanza(std::string_view uri, std::string_view suites) {
  return fmt::format("Types: deb\nURIs: {}\nSuites: {}\nComponents: main\nSigned-By: {}\n\n", uri, suites,
                     keyring);
}

// How this machine reaches the network: proxies and the like, as lines of apt's configuration.
std::string network_settings() {
  std::string result;
  const std::string all = run({.argv = {"apt-config", "dump"}}).out;
  for (size_t begin = 0; begin < all.size();) {
    const size_t end = std::min(all.find('\n', begin), all.size());
    const std::string_view line = std::string_view(all).substr(begin, end - begin);
    const bool is_network = line.starts_with("Acquire::http::") || line.starts_with("Acquire::https::") ||
                            line.starts_with("Acquire::Retries ");
    // Certificates are checked, whatever this machine's apt does.
    if (is_network && line.find("::Verify-") == std::string_view::npos) result.append(line).append("\n");
    begin = end + 1;
  }
  return result;
}

}  // namespace

std::string debian_sources(std::string_view suite) {
  const bool good =
      !suite.empty() && suite.size() <= 64 && std::isalpha(static_cast<unsigned char>(suite[0])) != 0 &&
      std::all_of(suite.begin(), suite.end(),
                  [](unsigned char c) { return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '-'; });
  if (!good)
    throw Error(ErrorKind::invalid_input, fmt::format("'{}' cannot be the name of a suite of Debian", suite),
                "Give a name such as bookworm, trixie or sid.");
  const std::string name(suite);
  constexpr std::string_view archive = "http://deb.debian.org/debian";
  if (name == "sid" || name == "unstable" || name == "experimental") return stanza(archive, name);
  return stanza(archive, fmt::format("{} {}-updates", name, name)) +
         stanza("http://deb.debian.org/debian-security", name + "-security");
}

void check_sources(std::string_view text, std::string_view name) {
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line(text.substr(begin, end - begin));
    begin = end + 1;
    ++number;
    line.erase(0, std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.starts_with('#')) continue;
    line = lower_case(line);
    for (const std::string_view word :
         {"trusted", "allow-insecure", "allow-weak", "allow-downgrade-to-insecure"})
      if (line.find(word) != std::string::npos)
        throw Error(
            ErrorKind::untrusted,
            fmt::format("{}:{}: '{}' lets apt take packages that nobody has signed", name, number, word),
            "Name the repository's key instead: Signed-By: FILE, or [signed-by=FILE].");
  }
}

AptRepository::AptRepository(const std::filesystem::path& cache, const DebianSource& source,
                             const std::function<void(std::string_view)>& on_step) {
  const std::string text =
      source.sources.empty() ? debian_sources(source.suite) : read_file(source.sources, max_sources);
  if (source.sources.empty()) {
    if (!std::filesystem::exists(keyring))
      throw Error(ErrorKind::unavailable, fmt::format("Debian's keys are missing: there is no {}", keyring),
                  "Install the package debian-archive-keyring.");
  } else {
    check_sources(text, source.sources.string());
  }
  in_context("preparing apt for the repository", [&] {
    directory_ = cache / ("apt-" + to_hex(bytes_of(sha256(text))).substr(0, 16));
    for (const char* name : {"state/lists/partial", "cache/archives/partial", "etc/none"})
      std::filesystem::create_directories(directory_ / name);
    // apt tells the two formats apart by the file's name.
    const bool one_line = source.sources.extension() == ".list";
    const std::string sources_name = one_line ? "sources.list" : "debian.sources";
    const FileLock preparing(directory_ / "preparing", FileLock::Mode::exclusive);
    write_file(directory_ / "etc" / sources_name, text);
    if (!std::filesystem::exists(directory_ / "state/status")) write_file(directory_ / "state/status", "");
    write_configuration(sources_name);
    refresh(on_step);
  });
  in_use_ = std::make_unique<FileLock>(directory_ / "in-use", FileLock::Mode::shared);
}

std::map<std::string, std::string> AptRepository::variables() const {
  return {{"APT_CONFIG", (directory_ / "apt.conf").string()}};
}

void AptRepository::write_configuration(const std::string& sources_name) const {
  const std::string here = directory_.string();
  write_file(directory_ / "apt.conf", fmt::format(R"(Dir::Etc::main "/dev/null";
Dir::Etc::parts "{0}/etc/none";
Dir::Etc::sourcelist "{0}/etc/{1}";
Dir::Etc::sourceparts "{0}/etc/none";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "{0}/etc/none";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "{0}/etc/none";
Dir::State "{0}/state";
Dir::State::status "{0}/state/status";
Dir::Cache "{0}/cache";
APT::Architecture "{2}";
APT::Architectures {{ "{2}"; }};
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
{3})",
                                                  here, sources_name, architecture, network_settings()));
}

void AptRepository::refresh(const std::function<void(std::string_view)>& on_step) {
  const auto stamp = directory_ / "refreshed";
  std::error_code missing;
  const auto refreshed = std::filesystem::last_write_time(stamp, missing);
  const bool have_lists = !missing;
  if (have_lists && std::filesystem::file_time_type::clock::now() - refreshed < fresh_for) return;
  // Who imports at this moment reads the lists; they are replaced when nobody does.
  const FileLock alone(directory_ / "in-use", FileLock::Mode::exclusive);
  if (on_step) on_step("fetching the repository's lists");
  const Outcome outcome =
      run({.argv = {"apt-get", "-qq", "-o", "Acquire::Retries=2", "update"},
           .env = {{"LC_ALL", "C.UTF-8"}, {"APT_CONFIG", (directory_ / "apt.conf").string()}}});
  if (outcome.exit_code == 0) return write_file(stamp, "");
  const std::string why = outcome.err.substr(0, outcome.err.find('\n'));
  // What is not signed, or not by the right key, is never used: older lists were.
  if (!have_lists)
    throw Error(ErrorKind::unavailable, fmt::format("the repository's lists cannot be fetched: {}", why),
                "Check the network, the name of the suite and the sources; behind a proxy, set http_proxy.");
  if (on_step) on_step(fmt::format("using the repository's lists of before: {}", why));
}

}  // namespace flox::package
