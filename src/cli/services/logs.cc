// flox services logs
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/os/directory.h"
#include "cli/services/commands.h"
#include "cli/services/known_services.h"

namespace flox::cli {
namespace {

constexpr size_t max_log_read = 16 << 20;  // bytes of one file; the keeper begins a new one far before
constexpr int follow_interval = 200;       // ms

struct LogsOptions : ServicesOptions {
  bool follow = false;
  std::optional<size_t> tail;
};

// One service's log: the file before the newest one, and that.
class ServiceLog {
 public:
  ServiceLog(const Directory& directory, std::string name) : directory_(directory), name_(std::move(name)) {}

  const std::string& name() const noexcept { return name_; }

  std::vector<std::string> lines() {
    std::string text = read(name_ + ".log.1");
    const std::string newest = read(name_ + ".log");
    remember(newest.size());
    return split(text + newest);
  }

  // Whole lines that have come since.
  std::vector<std::string> further_lines() {
    const std::string file = name_ + ".log";
    const auto status = directory_.status(file);
    if (!status) return {};
    if (status->st_ino != inode_) {  // a new one was begun: the rest of the old one first
      std::string rest = inode_ != 0 ? read(name_ + ".log.1") : "";
      rest.erase(0, std::min(offset_, rest.size()));
      offset_ = 0;
      inode_ = status->st_ino;
      std::vector<std::string> lines = split(rest);
      for (std::string& line : further_lines()) lines.push_back(std::move(line));
      return lines;
    }
    if (static_cast<size_t>(status->st_size) <= offset_) return {};
    std::string text = read(file);
    text.erase(0, std::min(offset_, text.size()));
    text.resize(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
    offset_ += text.size();
    return split(text);
  }

 private:
  std::string read(const std::string& file) const {
    return directory_.exists(file) ? directory_.read_file(file, max_log_read) : std::string();
  }
  void remember(size_t size) {
    offset_ = size;
    if (const auto status = directory_.status(name_ + ".log")) inode_ = status->st_ino;
  }
  static std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
      lines.emplace_back(text.substr(0, text.find('\n')));
      text.remove_prefix(std::min(lines.back().size() + 1, text.size()));
    }
    return lines;
  }

  const Directory& directory_;
  std::string name_;
  ino_t inode_ = 0;
  size_t offset_ = 0;
};

void print_lines(const ServiceLog& log, const std::vector<std::string>& lines, const LogsOptions& options,
                 bool named) {
  for (const std::string& line : lines) {
    if (options.json)
      fmt::print("{}\n", nlohmann::json{{"service", log.name()}, {"line", line}}.dump(
                             -1, ' ', false, nlohmann::json::error_handler_t::replace));
    else
      fmt::print("{}{}\n", named ? log.name() + ": " : "", line);
  }
}

void show_logs(const LogsOptions& options) {
  const ServicesTarget target = services_target(options.directory);
  const auto names = target.names(target.running(), options.names);
  const Directory directory = Directory(logs_of(target.project)).make_directory("services", 0700);
  std::vector<ServiceLog> logs;
  for (const std::string& name : names) logs.emplace_back(directory, name);
  for (ServiceLog& log : logs) {
    std::vector<std::string> lines = log.lines();
    if (options.tail && lines.size() > *options.tail)
      lines.erase(lines.begin(), lines.end() - static_cast<ptrdiff_t>(*options.tail));
    print_lines(log, lines, options, names.size() > 1);
  }
  while (options.follow) {
    std::fflush(stdout);
    if (std::ferror(stdout) != 0) return;  // the reader has gone
    ::poll(nullptr, 0, follow_interval);
    for (ServiceLog& log : logs) print_lines(log, log.further_lines(), options, names.size() > 1);
  }
}

}  // namespace

void add_services_logs(CLI::App& services) {
  auto options = std::make_shared<LogsOptions>();
  auto* command = services.add_subcommand("logs", "Print what services have written");
  add_services_options(*command, *options);
  command->add_flag("-f,--follow", options->follow, "go on with what they write from now on");
  command->add_option("-n,--tail", options->tail,
                      "the last lines of each only (default: all that there are)");
  command->footer(
      "The last 4 to 8 MiB of each service are kept, also after its end, in .flox/log/services.\n\n"
      "Examples:\n  flox services logs web -n 20\n  flox services logs --follow");
  command->callback([options] { show_logs(*options); });
}

}  // namespace flox::cli
