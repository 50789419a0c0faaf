// All that says who may do what, in the catalog's database.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/data/secret.h"
#include "server/identity/audit.h"
#include "server/identity/exchange.h"
#include "server/identity/identity.h"
#include "server/identity/page_sessions.h"
#include "server/identity/visibility.h"
#include "server/records/cache_readers.h"
#include "server/records/holdings.h"
#include "server/records/node_reports.h"
#include "server/records/owners.h"
#include "server/records/retention.h"
#include "server/records/tokens.h"

namespace flox::server {

struct AccountOptions {
  Secret operator_token;  // may do everything; empty: there is none
  LoginOptions login;
  PageLoginOptions page_login;
  std::vector<ExchangeRule> rules;
  std::filesystem::path audit_log;  // empty: none
  uint64_t audit_log_bytes = 64 << 20;
  unsigned audit_log_files = 8;  // older ones
};

// Thread-safe.
struct Accounts {
  // The database (records/database.h) must outlive it. Throws Error.
  Accounts(Database& database, AccountOptions options)
      : owners(database),
        tokens(database),
        holdings(database),
        readers(database),
        retention(database),
        nodes(database),
        identity(std::move(options.operator_token), owners, tokens,
                 cookie_name_for(options.page_login.public_url)),
        visibility(owners, holdings, readers),
        exchange(identity, std::move(options.login), std::move(options.rules)),
        page_sessions(exchange, std::move(options.page_login)),
        audit(options.audit_log, options.audit_log_bytes, options.audit_log_files) {}

  OwnerRecords owners;
  TokenRecords tokens;
  Holdings holdings;
  CacheReaders readers;
  Retention retention;
  NodeReports nodes;
  Identity identity;
  Visibility visibility;
  Exchange exchange;
  PageSessions page_sessions;
  Audit audit;
};

}  // namespace flox::server
