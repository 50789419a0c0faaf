// Verifies what a catalog would send: for test/security/trust_metadata.sh.
//   verify_evidence TRUST_DIR STATE_DIR EVIDENCE RECORD
// EVIDENCE is the JSON of trust::Evidence, RECORD that of a package's record. Prints who has signed it.
#include <cstdio>

#include "base/data/json.h"
#include "base/error.h"
#include "base/os/file.h"
#include "trust/verifier.h"

namespace {

nlohmann::json read(const char* file) { return flox::parse_json(flox::read_file(file), file); }

}  // namespace

int main(int argc, char** argv) {
  using namespace flox;
  if (argc != 5) {
    std::fputs("usage: verify_evidence TRUST_DIR STATE_DIR EVIDENCE RECORD\n", stderr);
    return 2;
  }
  try {
    trust::TrustStore store(argv[1], argv[2]);
    trust::Verifier verifier(store);
    const nlohmann::json record = read(argv[4]);
    const trust::Provenance provenance = verifier.verify_package(
        trust::Evidence::from_json(read(argv[3])), {.name = string_member(record, "name", "the record"),
                                                    .version = string_member(record, "version", "the record"),
                                                    .system = string_member(record, "system", "the record"),
                                                    .variant = string_member(record, "variant", "the record"),
                                                    .outputs = member(record, "outputs", "the record")});
    std::printf("%s\n", provenance.to_string().c_str());
    return 0;
  } catch (const std::exception& error) {
    print_error(error);
    return exit_failure;
  }
}
