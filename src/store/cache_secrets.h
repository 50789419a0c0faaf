// The passwords that a fetcher takes into its cell: those of the caches that it is to ask, no others.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace flox::store {

// The entries of a netrc file (curl's reading of it) for these hosts, and its default entry. Macros are left
// out.
std::string netrc_of_hosts(std::string_view netrc, const std::set<std::string>& hosts);

// From now on this process's HTTP clients find those entries, and only those: in memory, under $NETRC. The
// file is the one that they would have read ($NETRC, /etc/nix/netrc, ~/.netrc). Before the process is
// confined.
void keep_netrc_of(const std::set<std::string>& hosts);

// The host in "http://user@host:port/…" or "host:port"; empty if there is none.
std::string host_of(std::string_view url);

}  // namespace flox::store
