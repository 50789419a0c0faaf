// The shim's command line, as containerd writes it: Go's flags ("-id x", "--id=x"), then the action.
#pragma once  // Fuzzed by fuzz/command_line.cc.

#include <string>
#include <vector>

namespace flox::shim {

struct CommandLine {
  std::string namespace_name;  // -namespace
  std::string id;              // -id
  std::string address;         // -address: containerd's gRPC socket
  std::string publish_binary;  // -publish-binary
  std::string bundle;          // -bundle: only with delete
  std::string socket;          // -socket: our own, given to the server for unlinking at its end
  std::string action;          // start | delete | empty: serve
  bool debug = false;          // -debug
  bool info = false;           // -info
  bool version = false;        // -v, -version
  bool help = false;           // -h, -help

  // `words` without the program's name. Throws Error(invalid_input) for unknown flags and actions, missing
  // values, and an empty namespace or id where one is needed.
  static CommandLine parse(const std::vector<std::string>& words);
  // What -help prints.
  static std::string usage();
};

}  // namespace flox::shim
