// A table of tickets as rows of the local backend's database.
#pragma once

#include "ticket/backend/backend.h"
#include "ticket/local/database.h"

namespace ticket::local {

class LocalTable : public Table {
 public:
  LocalTable(std::shared_ptr<Database> database, std::string name)
      : database_(std::move(database)), name_(std::move(name)) {}

  void check() override;
  bool put_if_absent(const nlohmann::ordered_json& item) override;

 private:
  std::shared_ptr<Database> database_;
  std::string name_;
};

// Makes the table unless there is one.
void create_table(Database& database, const std::string& name);

}  // namespace ticket::local
