// Which catalog, and as whom: what the commands share that ask a catalog which an option can name.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "catalog/client.h"

namespace flox::cli {

// What is empty comes from the configuration.
struct CatalogOptions {
  std::string url;
  std::string token_file;
};
void add_catalog_options(CLI::App& command, CatalogOptions& options);

// Throws Error(invalid_input) with advice if no catalog is configured.
std::string url_of(const CatalogOptions& options);
// Empty if there is none.
Secret token_of(const CatalogOptions& options);
catalog::Client client_of(const CatalogOptions& options);

// A member of an answer, for people: one line; empty if it is missing or no text.
std::string text_in(const nlohmann::json& object, const char* key);
// A list of an answer. Throws Error(unavailable).
const nlohmann::json& items_in(const nlohmann::json& answer, const char* key);
// A number of an answer; 0 if it is no natural number. Throws Error(invalid_input) if it is missing.
uint64_t count_in(const nlohmann::json& answer, const char* key);
// "acme" as a segment of a path.
std::string segment(const std::string& text);

}  // namespace flox::cli
