#include "store/cache_secrets.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

namespace flox::store {

std::string netrc_of_hosts(std::string_view netrc, const std::set<std::string>& hosts) {
  constexpr std::string_view spaces = " \t\r\n";
  std::string result;
  bool wanted = false;
  while (true) {
    const size_t start = netrc.find_first_not_of(spaces);
    if (start == std::string_view::npos) return result;
    netrc.remove_prefix(start);
    if (netrc.front() == '#') {
      netrc.remove_prefix(std::min(netrc.find('\n'), netrc.size()));
      continue;
    }
    // A value may stand in quotes, with blanks in it.
    size_t end = netrc.find_first_of(spaces);
    if (netrc.front() == '"') {
      for (end = 1; end < netrc.size() && netrc[end] != '"'; ++end)
        if (netrc[end] == '\\') ++end;
      ++end;
    }
    const std::string_view word = netrc.substr(0, end);
    netrc.remove_prefix(std::min(word.size(), netrc.size()));
    if (word == "macdef") {  // up to an empty line
      const size_t empty = netrc.find("\n\n");
      netrc.remove_prefix(std::min(empty, netrc.size()));
      wanted = false;
    } else if (word == "machine") {
      const size_t name = std::min(netrc.find_first_not_of(spaces), netrc.size());
      netrc.remove_prefix(name);
      const std::string_view host = netrc.substr(0, netrc.find_first_of(spaces));
      netrc.remove_prefix(host.size());
      wanted = hosts.contains(std::string(host));
      if (wanted) result.append("\nmachine ").append(host);
    } else if (word == "default") {
      wanted = true;
      result += "\ndefault";
    } else if (wanted) {
      result.append(" ").append(word);
    }
  }
}

void keep_netrc_of(const std::set<std::string>& hosts) {
  std::string file;
  if (const char* named = std::getenv("NETRC"))
    file = named;
  else if (::access("/etc/nix/netrc", R_OK) == 0)
    file = "/etc/nix/netrc";
  else if (const char* home = std::getenv("HOME"))
    file = std::string(home) + "/.netrc";
  if (file.empty() || ::access(file.c_str(), R_OK) != 0) return;
  const std::string entries = netrc_of_hosts(read_file(file), hosts) + "\n";
  Fd memory(::memfd_create("netrc", MFD_CLOEXEC));
  if (!memory || ::fchmod(memory.get(), 0600) != 0) fail_errno(errno, "keeping the entries of {}", file);
  write_all(memory.get(), entries);
  ::setenv("NETRC", ("/proc/self/fd/" + std::to_string(memory.release())).c_str(), 1);
}

std::string host_of(std::string_view url) {
  if (const size_t scheme = url.find("://"); scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  url.remove_prefix(std::min(url.rfind('@') + 1, url.size()));
  if (url.starts_with('[')) return std::string(url.substr(0, url.find(']') + 1));
  return std::string(url.substr(0, url.find(':')));
}

}  // namespace flox::store
