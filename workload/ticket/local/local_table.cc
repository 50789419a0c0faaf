#include "ticket/local/local_table.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace ticket::local {

using nlohmann::ordered_json;

namespace {

void check_in(Database::Use& use, const std::string& name) {
  if (!use.statement("select 1 from item_table where name = ?").bind(name).next())
    throw flox::Error(flox::ErrorKind::not_found, "there is no table " + name,
                      "Run 'ticket-generator --backend … --create-resources' to create it.");
}

}  // namespace

void create_table(Database& database, const std::string& name) {
  auto use = database.write();
  use.statement("insert or ignore into item_table (name) values (?)").bind(name).run();
  use.commit();
}

void LocalTable::check() {
  auto use = database_->read();
  check_in(use, name_);
}

bool LocalTable::put_if_absent(const ordered_json& item) {
  auto use = database_->write();
  check_in(use, name_);
  int stored = use.statement("insert or ignore into item values (?, ?, ?, ?)")
                   .bind(name_)
                   .bind(item.at("ticket_id").get_ref<const std::string&>())
                   .bind(item.at("created_at").get<int64_t>())
                   .bind(item.dump(-1, ' ', false, ordered_json::error_handler_t::replace))
                   .run();
  use.commit();
  return stored == 1;
}

}  // namespace ticket::local
