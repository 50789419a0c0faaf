// kubectl flox: one file per command, and what they share.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/command_line/table.h"
#include "base/printable.h"
#include "kubectl/cluster/kubectl.h"
#include "kubectl/cluster/nodes.h"

namespace flox::kubectl {

// How the program ends, beside 0: all is well, and 2: the command line is wrong.
inline constexpr int exit_wrong = 1;   // something is wrong
inline constexpr int exit_unseen = 3;  // nothing wrong was seen, and something could not be looked at
inline constexpr const char* exit_codes =
    "Exit code: 0 all is well, 1 something is wrong, 2 the command line is wrong, 3 it could not be looked "
    "at.";

// What all commands take; lives as long as the program.
struct Common {
  ClusterOptions cluster;
  std::string pod_namespace;  // empty: kubectl's own choice
  int exit_code = 0;

  Kubectl kubectl() const { return Kubectl(cluster); }
  // "--namespace=…", or nothing.
  std::vector<std::string> namespace_argument() const;
  // What has been found decides how the program ends: 1 before 3 before 0.
  void found(bool is_wrong, bool is_unseen) noexcept;
};
void add_common_options(CLI::App& app, Common& common);

void add_status(CLI::App& app, Common& common);
void add_why(CLI::App& app, Common& common);
void add_closure(CLI::App& app, Common& common);
void add_sbom(CLI::App& app, Common& common);
void add_prefetch(CLI::App& app, Common& common);
void add_doctor(CLI::App& app, Common& common);

void print_json(const nlohmann::ordered_json& json);

}  // namespace flox::kubectl
