#include "lazy/control.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <semaphore>
#include <thread>

#include "base/data/json.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"

namespace flox::lazy {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr const char* socket_name = "control";
constexpr const char* request_name = "the request to the mount's server";
constexpr const char* reply_name = "the answer of the mount's server";
constexpr milliseconds call_time(60'000);  // of an answer, beside what the request itself takes
constexpr milliseconds most_retry(60'000);
constexpr milliseconds connect_pause(20);
constexpr unsigned most_connections = 32;
constexpr size_t longest_failure = 300;  // bytes of a text
constexpr size_t most_failures = 100;
// Of one request or answer. A name with bytes that JSON writes as several may make it too large: an error.
constexpr size_t most_ranges_text = most_control / 2, most_ranges = 2000, range_numbers = 40;

// Of the socket in a directory, whose own path may be longer than an address.
sockaddr_un address_below(const Fd& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", directory.get(), socket_name);
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

Fd new_socket() {
  Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) fail_errno(errno, "making a socket");
  return fd;
}

void send_packet(const Fd& to, std::string_view text) {
  if (text.size() > most_control) fail(ErrorKind::invalid_input, "a message of {} bytes", text.size());
  ssize_t sent = 0;
  while ((sent = ::send(to.get(), text.data(), text.size(), MSG_NOSIGNAL)) < 0 && errno == EINTR) continue;
  if (sent < 0) fail_errno(errno, "sending a message");
}

// Empty: the other side has gone.
std::string receive_packet(const Fd& from) {
  std::string text(most_control + 1, '\0');
  ssize_t got = 0;
  while ((got = ::recv(from.get(), text.data(), text.size(), 0)) < 0 && errno == EINTR) continue;
  if (got < 0) fail_errno(errno, "receiving a message");
  if (static_cast<size_t>(got) > most_control) fail(ErrorKind::invalid_input, "a message is too large");
  text.resize(static_cast<size_t>(got));
  return text;
}

void set_timeout(const Fd& fd, milliseconds most) {
  const timeval time{most.count() / 1000, most.count() % 1000 * 1000};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

std::vector<nix::StorePath> paths_in(const json& list) {
  if (!list.is_array() || list.size() > most_control_names)
    fail(ErrorKind::invalid_input, "{}: no list of at most {} paths", request_name, most_control_names);
  std::vector<nix::StorePath> paths;
  for (const json& name : list) {
    if (!name.is_string()) fail(ErrorKind::invalid_input, "{}: a path is no text", request_name);
    paths.push_back(nix::StorePath::from_base_name(name.get<std::string>()));
  }
  return paths;
}

uint64_t number_in(const json& object, const char* key, std::string_view name) {
  const json& value = member(object, key, name);
  if (!value.is_number_unsigned()) fail(ErrorKind::invalid_input, "{}: {} is no number", name, key);
  return value.get<uint64_t>();
}

nix::StorePath path_in(const json& request, const char* key) {
  return nix::StorePath::from_base_name(string_member(request, key, request_name));
}

struct Field {
  const char* name;
  uint64_t PathsStatus::*value;
};
constexpr Field fields[] = {{"paths", &PathsStatus::paths},
                            {"whole", &PathsStatus::whole},
                            {"bytes", &PathsStatus::bytes},
                            {"here", &PathsStatus::here},
                            {"waited", &PathsStatus::waited},
                            {"waited_micros", &PathsStatus::waited_micros},
                            {"failed", &PathsStatus::failed},
                            {"frames_now", &PathsStatus::frames_now},
                            {"frames_later", &PathsStatus::frames_later}};

json answer(ServedPaths& served, const json& request, bool& ends) {
  if (request.contains("slots")) {
    json slots = json::array();
    for (const nix::StorePath& path : paths_in(request["slots"])) slots.push_back(served.slot_of(path));
    return {{"slots", std::move(slots)}};
  }
  if (request.contains("add")) {
    return {{"slots", served.add(paths_in(request["add"]))}};
  }
  if (request.contains("use_store")) {
    const std::string store = string_member(request, "store", request_name);
    served.use_store(paths_in(request["use_store"]), store);
    return json::object();
  }
  if (request.contains("drop")) {
    served.drop(paths_in(request["drop"]));
    return json::object();
  }
  if (request.contains("status")) {
    const PathsStatus status = served.status(paths_in(request["status"]));
    json result = json::object();
    for (const Field& field : fields) result[field.name] = status.*field.value;
    return result;
  }
  if (request.contains("waits")) {
    const MountWaits waits = served.waits();
    return {{"server", waits.server}, {"counts", waits.counts}, {"micros", waits.micros}};
  }
  if (request.contains("retry")) {
    const auto paths = paths_in(request["retry"]);
    const milliseconds most(
        std::min<uint64_t>(number_in(request, "milliseconds", request_name), most_retry.count()));
    json failures = json::array(), reads = json::array();
    for (const PathFailure& failure : served.retry(paths, most)) {
      if (failures.size() == most_failures) break;
      failures.push_back({failure.path.base_name(), failure.why.substr(0, longest_failure)});
      reads.push_back(failure.reads.value_or(0));
    }
    return {{"failures", std::move(failures)}, {"reads", std::move(reads)}};
  }
  if (request.contains("wanted"))
    return {{"ranges", store::ranges_to_json(served.wanted(path_in(request, "wanted"), most_ranges_text))}};
  if (request.contains("soon")) {
    served.want_soon(path_in(request, "soon"), store::ranges_of_json(member(request, "ranges", request_name),
                                                                     most_ranges, request_name));
    return json::object();
  }
  if (request.contains("end")) {
    ends = true;
    return json::object();
  }
  fail(ErrorKind::invalid_input, "{}: it asks nothing that is known", request_name);
}

std::string to_text(const json& answer) {
  return answer.dump(-1, ' ', false, json::error_handler_t::replace);
}

json names_of(const std::vector<nix::StorePath>& paths) {
  json names = json::array();
  for (const nix::StorePath& path : paths) names.push_back(path.base_name());
  return names;
}

// Calls `ask` with as many of the paths as a request has.
template <typename Ask>
void in_parts(const std::vector<nix::StorePath>& paths, Ask&& ask) {
  for (size_t at = 0; at < paths.size(); at += most_control_names) {
    const size_t end = std::min(paths.size(), at + most_control_names);
    ask(std::vector<nix::StorePath>(paths.begin() + static_cast<ptrdiff_t>(at),
                                    paths.begin() + static_cast<ptrdiff_t>(end)));
  }
}

json parse_answer(const std::string& text) {
  const json result = parse_json(text, reply_name);
  if (!result.contains("error")) return result;
  const uint64_t kind = number_in(result, "kind", reply_name);
  throw Error(
      kind <= static_cast<uint64_t>(ErrorKind::internal) ? static_cast<ErrorKind>(kind) : ErrorKind::internal,
      string_member(result, "error", reply_name));
}

std::vector<uint32_t> slots_in(const json& answer, size_t number) {
  const json& list = member(answer, "slots", reply_name);
  if (!list.is_array() || list.size() != number)
    fail(ErrorKind::internal, "{} has not as many slots as there are paths", reply_name);
  std::vector<uint32_t> slots;
  for (const json& slot : list) {
    if (!slot.is_number_unsigned() || slot.get<uint64_t>() > UINT32_MAX)
      fail(ErrorKind::internal, "{}: a slot is no number", reply_name);
    slots.push_back(slot.get<uint32_t>());
  }
  return slots;
}

void serve_one(const Fd& connection, ServedPaths& paths, const std::function<void()>& end) {
  set_timeout(connection, call_time);
  const std::string request = receive_packet(connection);
  if (request.empty()) return;
  bool ends = false;
  send_packet(connection, answer_control(paths, request, ends));
  if (ends) end();
}

}  // namespace

std::string answer_control(ServedPaths& paths, std::string_view request, bool& ends) {
  try {
    return to_text(answer(paths, parse_json(request, request_name), ends));
  } catch (const std::exception& problem) {
    const Error error = to_error(problem);
    return to_text({{"error", std::string(error.what()).substr(0, most_control / 8)},
                    {"kind", static_cast<unsigned>(error.kind())}});
  }
}

void serve_control(const std::filesystem::path& files, ServedPaths& paths, std::function<void()> end) {
  const Fd directory = open_file(files, O_PATH | O_DIRECTORY);
  Fd listening = new_socket();
  const sockaddr_un address = address_below(directory);
  ::unlinkat(directory.get(), socket_name, 0);
  if (::bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listening.get(), most_connections) != 0)
    fail_errno(errno, "listening at {}", (files / socket_name).string());
  std::thread([listening = std::move(listening), &paths, end = std::move(end)] {
    static std::counting_semaphore<most_connections> free(most_connections);
    for (;;) {
      Fd connection(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        log::error("the mount takes no further paths: accepting a connection: {}",
                   std::generic_category().message(errno));
        return;
      }
      free.acquire();
      std::thread([connection = std::move(connection), &paths, &end] {
        try {
          serve_one(connection, paths, end);
        } catch (const std::exception& error) {
          log::warning("answering floxd: {}", message_of(error));
        }
        free.release();
      }).detach();
    }
  }).detach();
}

Fd MountControl::connect() const {
  const Fd directory = open_file(files_, O_PATH | O_DIRECTORY);
  const sockaddr_un address = address_below(directory);
  const auto until = std::chrono::steady_clock::now() + patience_;
  for (;;) {
    Fd fd = new_socket();
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
    const int error = errno;
    if ((error != ECONNREFUSED && error != ENOENT && error != EAGAIN && error != EINTR) ||
        std::chrono::steady_clock::now() > until)
      fail_errno(error, "asking the server of the mount whose files are at {}", files_.string());
    std::this_thread::sleep_for(connect_pause);
  }
}

// Once more if a server dies meanwhile: every request may be made twice.
std::string MountControl::ask(const std::string& request, milliseconds most) const {
  constexpr int attempts = 3;
  for (int attempt = 1;; ++attempt) {
    const Fd connection = connect();
    set_timeout(connection, most);
    try {
      send_packet(connection, request);
      if (std::string answer = receive_packet(connection); !answer.empty()) return answer;
    } catch (const Error& error) {
      if (attempt == attempts) throw;
      log::debug("{}", error.what());
      continue;
    }
    if (attempt == attempts)
      fail(ErrorKind::unavailable,
           "the server of the mount whose files are at {} died {} times at the request", files_.string(),
           attempts);
  }
}

std::vector<uint32_t> MountControl::slots(const std::vector<nix::StorePath>& paths) const {
  std::vector<uint32_t> all;
  in_parts(paths, [&](const std::vector<nix::StorePath>& part) {
    const auto some =
        slots_in(parse_answer(ask(json{{"slots", names_of(part)}}.dump(), call_time_)), part.size());
    all.insert(all.end(), some.begin(), some.end());
  });
  return all;
}

std::vector<uint32_t> MountControl::add(const std::vector<nix::StorePath>& paths) const {
  std::vector<uint32_t> all;
  in_parts(paths, [&](const std::vector<nix::StorePath>& part) {
    const auto some =
        slots_in(parse_answer(ask(json{{"add", names_of(part)}}.dump(), call_time_)), part.size());
    all.insert(all.end(), some.begin(), some.end());
  });
  return all;
}

void MountControl::use_store(const std::vector<nix::StorePath>& paths,
                             const std::filesystem::path& store) const {
  in_parts(paths, [&](const std::vector<nix::StorePath>& part) {
    parse_answer(ask(json{{"use_store", names_of(part)}, {"store", store.string()}}.dump(), call_time_));
  });
}

void MountControl::drop(const std::vector<nix::StorePath>& paths) const {
  in_parts(paths, [&](const std::vector<nix::StorePath>& part) {
    parse_answer(ask(json{{"drop", names_of(part)}}.dump(), call_time_));
  });
}

PathsStatus MountControl::status(const std::vector<nix::StorePath>& paths) const {
  PathsStatus sum;
  const auto add = [&](const std::vector<nix::StorePath>& part) {
    const json answer = parse_answer(ask(json{{"status", names_of(part)}}.dump(), call_time_));
    PathsStatus one;
    for (const Field& field : fields) one.*field.value = number_in(answer, field.name, reply_name);
    sum.frames_now = sum.frames_later = 0;  // of the mount, so the same in each part
    sum += one;
  };
  paths.empty() ? add(paths) : in_parts(paths, add);
  return sum;
}

MountWaits MountControl::waits() const {
  const json answer = parse_answer(ask(json{{"waits", true}}.dump(), call_time_));
  MountWaits waits{.server = number_in(answer, "server", reply_name),
                   .micros = number_in(answer, "micros", reply_name)};
  const json& counts = member(answer, "counts", reply_name);
  if (!counts.is_array() || counts.size() != waits.counts.size())
    fail(ErrorKind::internal, "{}: its counts are not of these classes", reply_name);
  for (size_t i = 0; i < waits.counts.size(); ++i) {
    if (!counts[i].is_number_unsigned()) fail(ErrorKind::internal, "{}: a count is no number", reply_name);
    waits.counts[i] = counts[i].get<uint64_t>();
  }
  return waits;
}

std::vector<PathFailure> MountControl::retry(const std::vector<nix::StorePath>& paths,
                                             milliseconds most) const {
  std::vector<PathFailure> all;
  in_parts(paths, [&](const std::vector<nix::StorePath>& part) {
    const json answer = parse_answer(
        ask(json{{"retry", names_of(part)}, {"milliseconds", static_cast<uint64_t>(most.count())}}.dump(),
            call_time_ + most));
    const json& failures = member(answer, "failures", reply_name);
    const json reads = answer.value("reads", json());  // null: the server is of an earlier release
    if (!reads.is_null() && (!reads.is_array() || reads.size() != failures.size()))
      fail(ErrorKind::internal, "{} has not as many counts of reads as failures", reply_name);
    for (size_t i = 0; i < failures.size(); ++i) {
      const json& failure = failures[i];
      if (!failure.is_array() || failure.size() != 2 || !failure[0].is_string() || !failure[1].is_string())
        fail(ErrorKind::internal, "{}: a failure is no pair of texts", reply_name);
      if (!reads.is_null() && !reads[i].is_number_unsigned())
        fail(ErrorKind::internal, "{}: a count of reads is no number", reply_name);
      all.push_back({.path = nix::StorePath::from_base_name(failure[0].get<std::string>()),
                     .why = failure[1].get<std::string>(),
                     .reads = reads.is_null() ? std::nullopt : std::optional(reads[i].get<uint64_t>())});
    }
  });
  return all;
}

std::vector<store::FileRange> MountControl::wanted(const nix::StorePath& path) const {
  const json answer = parse_answer(ask(json{{"wanted", path.base_name()}}.dump(), call_time_));
  return store::ranges_of_json(member(answer, "ranges", reply_name), most_ranges, reply_name);
}

void MountControl::want_soon(const nix::StorePath& path, const std::vector<store::FileRange>& ranges) const {
  std::vector<store::FileRange> part;
  size_t size = 0;
  const auto send = [&] {
    if (part.empty()) return;
    parse_answer(
        ask(to_text({{"soon", path.base_name()}, {"ranges", store::ranges_to_json(part)}}), call_time_));
    part.clear();
    size = 0;
  };
  for (const store::FileRange& range : ranges) {
    size += range.file.size() + range_numbers;
    if (size > most_ranges_text || part.size() == most_ranges) {
      send();
      size = range.file.size() + range_numbers;
    }
    if (size <= most_ranges_text) part.push_back(range);
  }
  send();
}

void MountControl::end() const { parse_answer(ask(json{{"end", true}}.dump(), call_time_)); }

}  // namespace flox::lazy
