// For test/store/secret_files.sh: what we read of files that other tools share. A case a line on standard
// input, as JSON; what was found a line on standard output: null, {"error": TEXT}, or as below.
//
// secret_files_probe aws      {"credentials": FILE, "config": FILE, "profile": NAME}
//                             -> {"id": TEXT, "secret": TEXT, "token": TEXT}
// secret_files_probe netrc    {"text": TEXT, "host": HOST, "user": USER} -> {"login": TEXT, "password": TEXT}
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/data/json.h"
#include "base/error.h"
#include "base/net/aws/profile.h"
#include "base/net/netrc.h"

namespace flox {
namespace {

using nlohmann::json;

json aws_keys(const json& given) {
  ::setenv("AWS_SHARED_CREDENTIALS_FILE", given.at("credentials").get<std::string>().c_str(), 1);
  ::setenv("AWS_CONFIG_FILE", given.at("config").get<std::string>().c_str(), 1);
  const auto found = aws::credentials_in(aws::load_profile(given.at("profile").get<std::string>()));
  if (!found) return nullptr;
  return {{"id", found->access_key},
          {"secret", found->secret_key.reveal()},
          {"token", found->session_token.reveal()}};
}

json netrc_entry(const json& given) {
  const auto found = login_in_netrc(given.at("text").get<std::string>(), given.at("host").get<std::string>(),
                                    given.at("user").get<std::string>());
  if (!found) return nullptr;
  return {{"login", found->user}, {"password", found->password.reveal()}};
}

json answer(std::string_view kind, const std::string& line) {
  try {
    const json given = parse_json(line, "case");
    return kind == "aws" ? aws_keys(given) : netrc_entry(given);
  } catch (const Error& error) {
    return {{"error", error.what()}};
  }
}

}  // namespace
}  // namespace flox

int main(int argc, char** argv) {
  const std::string_view kind = argc == 2 ? argv[1] : "";
  if (kind != "aws" && kind != "netrc") return 2;
  for (std::string line; std::getline(std::cin, line);) std::cout << flox::answer(kind, line).dump() << "\n";
  return 0;
}
