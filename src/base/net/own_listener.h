// Servers of this user's own on this machine, and whether it is still they who answer. Whoever listens at a
// port of loopback that is free gets what is sent there; of a connection within the machine the kernel says
// whose program is at its other end.
#pragma once  // Not fuzzed: the text that is read is the kernel's.

#include <sys/types.h>

#include <istream>
#include <string>
#include <vector>

#include "base/net/url.h"

namespace flox {

// From now on no request of this process goes to that server, by whatever name of loopback, unless it runs as
// this user or as root: the connection is closed before anything is sent, and Error(untrusted) is thrown. No
// proxy is asked for it. Thread-safe. Throws Error(invalid_input) for a URL that does not name an address of
// loopback.
void require_own_server(const std::string& url);
// Whether that was required of the URL's server.
bool must_be_own(const HttpUrl& url);

// The two ends of a TCP connection, as addresses in text.
struct TcpEnds {
  std::string server_ip;
  int server_port = 0;
  std::string client_ip;
  int client_port = 0;
};

// The users who run the program at the server's end of a connection within this machine: one once it has
// accepted, before that those of all programs that listen there. Empty: it is not within this machine and
// network namespace.
std::vector<uid_t> users_of_server(const TcpEnds& connection);
// The same, of texts as /proc/net/tcp and tcp6 have them.
std::vector<uid_t> users_of_server(const TcpEnds& connection, const std::vector<std::istream*>& tables);

}  // namespace flox
