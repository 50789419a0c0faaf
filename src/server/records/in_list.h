// Statements about many names at once: over a network each statement is a wait.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/database/database.h"

namespace flox::server {

// Calls `take` with each row of "SQL in (…)" for all the texts: `sql` ends with a column, as "select name,
// reader from cache_readers where name". Some hundred texts are asked for at once; the session may see other
// content between them unless it is in a transaction. The order of the rows is any.
void each_in(Session& session, std::string_view sql, const std::vector<std::string>& texts,
             const Session::RowFunction& take);

}  // namespace flox::server
