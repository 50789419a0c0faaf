#include "shim/launch/command_line.h"

#include <map>

#include "base/error.h"
#include "base/os/directory.h"
#include "imageless/annotations.h"

namespace flox::shim {

CommandLine CommandLine::parse(const std::vector<std::string>& words) {
  CommandLine line;
  std::string ignored;
  const std::map<std::string, std::string*> values{
      {"namespace", &line.namespace_name},
      {"id", &line.id},
      {"address", &line.address},
      {"publish-binary", &line.publish_binary},
      {"bundle", &line.bundle},
      {"socket", &line.socket},
      {"debug-socket", &ignored},  // of the stock shim's profiler, which we do not have
  };
  const std::map<std::string, bool*> switches{{"debug", &line.debug}, {"info", &line.info},
                                              {"v", &line.version},   {"version", &line.version},
                                              {"h", &line.help},      {"help", &line.help}};
  size_t at = 0;
  for (; at < words.size() && words[at].size() > 1 && words[at][0] == '-'; ++at) {
    std::string name = words[at].substr(words[at].starts_with("--") ? 2 : 1);
    if (name.empty()) {  // "--" ends the flags
      ++at;
      break;
    }
    size_t equals = name.find('=');
    std::string text = equals == std::string::npos ? "" : name.substr(equals + 1);
    std::string flag = name.substr(0, equals);
    if (auto found = switches.find(flag); found != switches.end()) {
      *found->second = text != "false" && text != "0";
    } else if (auto value = values.find(flag); value != values.end()) {
      if (equals == std::string::npos) {
        if (++at == words.size()) fail(ErrorKind::invalid_input, "flag -{} needs a value", flag);
        text = words[at];
      }
      *value->second = text;
    } else {
      throw Error(ErrorKind::invalid_input, fmt::format("unknown flag -{}", flag),
                  "Run 'containerd-shim-flox-v1 -help'.");
    }
  }
  if (at < words.size()) line.action = words[at++];
  if (!line.action.empty() && line.action != "start" && line.action != "delete")
    fail(ErrorKind::invalid_input, "unknown action \"{}\": it is start or delete", line.action);
  if (line.help || line.version || line.info) return line;
  if (line.namespace_name.empty())
    throw Error(ErrorKind::invalid_input, "no -namespace given",
                "Run it with -help: containerd starts this program.");
  if (line.id.empty()) fail(ErrorKind::invalid_input, "no -id given");
  file_name(line.id, "the container's id");  // directories bear both
  file_name(line.namespace_name, "the namespace");
  return line;
}

std::string CommandLine::usage() {
  return fmt::format(R"(containerd-shim-flox-v1: runs containers for containerd, with an image or without one.

containerd starts this program; people configure it (containerd 1.6 to 2.3):
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.flox]
    runtime_type = "io.containerd.runc.v2"
    runtime_path = "/usr/local/bin/containerd-shim-flox-v1"
    pod_annotations = ["flox.dev/*"]
or try it:
  ctr run --rm --runtime /usr/local/bin/containerd-shim-flox-v1 IMAGE NAME

Usage: containerd-shim-flox-v1 [FLAGS] start|delete
  -namespace NAME        containerd's namespace
  -id ID                 the container's id
  -address SOCKET        containerd's gRPC socket
  -publish-binary FILE   the containerd program
  -bundle DIR            the container's bundle (delete)
  -debug                 say more in containerd's log
  -info                  print the runtime's features (protobuf) and exit
  -v, -version           print the version and exit
  -help                  print this and exit

Environment:
  TTRPC_ADDRESS          containerd's socket for events
  FLOX_NODE_SOCKET       floxd's socket (default /run/flox/node.sock)

Annotations of a pod:
{})",
                     imageless::describe_annotations());
}

}  // namespace flox::shim
