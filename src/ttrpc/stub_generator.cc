// Writes the typed stubs of a .proto file's services: a struct for each service, with a ttrpc::Method for
// each rpc.
//
//   ttrpc_stubs DESCRIPTORS FILE.proto OUTPUT
//
// DESCRIPTORS is what `protoc --include_imports --descriptor_set_out` has written of FILE.proto.
#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <cstdio>
#include <fstream>
#include <set>
#include <string>

namespace {

namespace protobuf = google::protobuf;

// "flox.node.v1" as C++ writes it: "flox::node::v1".
std::string cpp_name(const std::string& name) {
  std::string result;
  for (const char c : name) result += c == '.' ? "::" : std::string(1, c);
  return result;
}

std::string header_of(const protobuf::FileDescriptor& file) {
  const std::string& proto = file.name();
  return proto.substr(0, proto.rfind('.')) + ".pb.h";
}

std::string stub(const protobuf::ServiceDescriptor& service) {
  std::string text = fmt::format("struct {} {{\n", service.name());
  for (int i = 0; i < service.method_count(); ++i) {
    const protobuf::MethodDescriptor& method = *service.method(i);
    text +=
        fmt::format("  static constexpr ::flox::ttrpc::Method<::{}, ::{}> {}{{\"{}\", \"{}\"}};\n",
                    cpp_name(method.input_type()->full_name()), cpp_name(method.output_type()->full_name()),
                    method.name(), service.full_name(), method.name());
  }
  return text + "};\n\n";
}

std::string stubs(const protobuf::FileDescriptor& file) {
  std::set<std::string> headers;  // of the messages
  std::string services;
  for (int i = 0; i < file.service_count(); ++i) {
    const protobuf::ServiceDescriptor& service = *file.service(i);
    services += stub(service);
    for (int j = 0; j < service.method_count(); ++j)
      for (const auto* message : {service.method(j)->input_type(), service.method(j)->output_type()})
        headers.insert(header_of(*message->file()));
  }
  std::string text = fmt::format("// Generated from {}.\n#pragma once\n\n", file.name());
  for (const std::string& header : headers) text += fmt::format("#include \"{}\"\n", header);
  const std::string space = cpp_name(file.package());
  return text + fmt::format("#include \"ttrpc/method.h\"\n\nnamespace {} {{\n\n{}}}  // namespace {}\n",
                            space, services, space);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: ttrpc_stubs DESCRIPTORS FILE.proto OUTPUT\n", stderr);
    return 2;
  }
  protobuf::FileDescriptorSet descriptors;
  std::ifstream input(argv[1], std::ios::binary);
  protobuf::DescriptorPool pool;
  if (!descriptors.ParseFromIstream(&input)) {
    fmt::print(stderr, "ttrpc_stubs: {} is not a set of file descriptors\n", argv[1]);
    return 1;
  }
  for (const auto& file : descriptors.file())
    if (pool.BuildFile(file) == nullptr) return 1;  // protobuf says why
  const protobuf::FileDescriptor* file = pool.FindFileByName(argv[2]);
  if (file == nullptr || file->service_count() == 0) {
    fmt::print(stderr, "ttrpc_stubs: {} has no {} with a service\n", argv[1], argv[2]);
    return 1;
  }
  std::ofstream output(argv[3], std::ios::binary);
  output << stubs(*file);
  output.close();
  if (!output) {
    fmt::print(stderr, "ttrpc_stubs: cannot write {}\n", argv[3]);
    return 1;
  }
  return 0;
}
