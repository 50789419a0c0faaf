// Variables that are read before there are settings, declared here to be explained with the others.
#pragma once

#include "base/log.h"
#include "base/log_fields.h"
#include "base/settings/read.h"

namespace flox {

struct SharedVariables : SettingGroup {
  SharedVariables() : SettingGroup("Variables of all programs") {}

  // read_settings() reads it.
  std::filesystem::path config = declare(
      config,
      {.variable = config_variable,
       .help =
           "The only file of settings that flox and floxd read then. A file that is named so must exist."},
      config_file);
  // base/log.cc reads it.
  std::string log =
      declare(log,
              {.variable = log::level_variable,
               .help = "What the programs log: debug, info, warning or error, and what is worse."},
              "info");
  std::string log_format = declare(
      log_format,
      {.variable = log::format_variable,
       .help = "How floxd and flox-catalog write a line of their log: text, or json for an object a line."},
      "text");
};

}  // namespace flox
