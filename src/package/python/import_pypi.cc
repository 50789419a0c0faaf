#include "package/python/import_pypi.h"

#include <algorithm>
#include <ctime>
#include <set>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/printable.h"
#include "base/settings/units.h"
#include "package/debian/application.h"
#include "package/debian/importer.h"
#include "package/python/wheel.h"
#include "package/record/provenance.h"
#include "trust/sbom/package_file.h"
#include "trust/sbom/purl.h"

namespace flox::package {
namespace {

// As SLSA's buildType: wheels were unpacked, relocated and put together.
constexpr std::string_view pypi_import_type = "urn:flox-imageless:import-pypi:v1";
constexpr size_t max_script_text = 16 << 20;  // bytes

// The interpreter, with the wrapper that it runs under.
struct PythonProgram {
  nix::StorePath path;
  PythonTarget target;
  WrapperParts wrapper;
};

unsigned second_number(const std::string& version) {
  const size_t dot = version.find('.');
  unsigned value = 0;
  for (size_t at = dot + 1;
       dot != std::string::npos && at < version.size() && version[at] >= '0' && version[at] <= '9'; ++at)
    value = value * 10 + static_cast<unsigned>(version[at] - '0');
  return value;
}

PythonTarget target_of(Debian& debian) {
  PythonTarget target;
  target.full_version = upstream_version(debian.package("python3").version);
  target.minor = second_number(target.full_version);
  target.glibc_minor = second_number(upstream_version(debian.package("libc6").version));
  const std::string system = system_of_this_machine();
  target.architecture = system.substr(0, system.find('-'));
  return target;
}

PythonProgram interpreter_of(store::LocalStore& store, Importer& importer, const PythonTarget& target) {
  const nix::StorePath path = importer.package("python3");
  return {.path = path, .target = target, .wrapper = read_wrapper(store.real_path(path), "bin/python3")};
}

// The store path with the programs: a virtual environment of Python (PEP 405) in libexec/flox/NAME whose
// modules are the wheels', and wrappers in bin.
class PythonApplication {
 public:
  PythonApplication(const PythonProgram& python, std::string name, std::string own_path)
      : python_(python), name_(std::move(name)), own_(std::move(own_path) + "/libexec/flox/" + name_) {}

  void write(store::LocalStore& store, const std::vector<ImportedWheel>& wheels, const Directory& out) const {
    const Directory tree = out.make_directory("libexec/flox/" + name_);
    tree.create_file(
        "pyvenv.cfg",
        fmt::format("home = {}\ninclude-system-site-packages = false\nversion = {}\n",
                    fs::path(python_.wrapper.program).parent_path().string(), python_.target.full_version));
    const Directory programs = tree.make_directory("bin");
    programs.make_link("python3", python_.wrapper.program);
    programs.make_link("python", "python3");
    std::string paths;
    for (const ImportedWheel& wheel : wheels)
      paths += fmt::format("{}/{}\n", wheel.path.to_string(), site_packages(python_.target));
    tree.make_directory(site_packages(python_.target)).create_file("flox.pth", paths);
    // For python3 in an environment that has this package, too.
    out.make_directory("lib/python3/dist-packages").create_file(fmt::format("flox-{}.pth", name_), paths);
    for (const ImportedWheel& wheel : wheels) {
      const Directory files(store.real_path(wheel.path));
      const bool is_wanted = &wheel == &wheels.front();
      for (const ConsoleScript& script : wheel.console_scripts)
        write_program(script.name, console_script(script), is_wanted, out, programs);
      for (const std::string& place : wheel.scripts)
        write_program(place.substr(place.rfind('/') + 1), own_script(files.read_file(place, max_script_text)),
                      is_wanted, out, programs);
      for (const std::string& place : wheel.programs) {
        const std::string program = place.substr(place.rfind('/') + 1);
        if (!programs.exists(program)) programs.make_link(program, wheel.path.to_string() + "/" + place);
        if (is_wanted && !out.make_directory("bin").exists(program))
          out.make_link("bin/" + program, wheel.path.to_string() + "/" + place);
      }
    }
  }

 private:
  std::string console_script(const ConsoleScript& script) const {
    return fmt::format(
        "#!{}/bin/python3\nimport sys\nfrom {} import {}\nif __name__ == \"__main__\":\n  sys.exit({}())\n",
        own_, script.module, script.attribute.substr(0, script.attribute.find('.')), script.attribute);
  }
  // Of a script "#!python" the first line is the interpreter's.
  std::string own_script(const std::string& text) const {
    const size_t end = std::min(text.find('\n'), text.size());
    if (text.substr(0, end).find("python") == std::string::npos) return text;
    return fmt::format("#!{}/bin/python3{}", own_, text.substr(end));
  }
  void write_program(const std::string& program, const std::string& text, bool is_wanted,
                     const Directory& out, const Directory& programs) const {
    if (!programs.exists(program)) programs.create_file(program, text, 0755);
    if (!is_wanted) return;
    const Directory bin = out.make_directory("bin");
    if (bin.exists(program)) return;
    bin.create_file(program,
                    fmt::format("{}export PATH=\"${{PATH:+$PATH:}}\"{}\nexec {} {} \"$@\"\n",
                                python_.wrapper.lead, shell_word(own_ + "/bin"),
                                shell_word(own_ + "/bin/python3"), shell_word(own_ + "/bin/" + program)),
                    0755);
  }

  const PythonProgram& python_;
  std::string name_;
  std::string own_;  // libexec/flox/NAME of the store path to come
};

std::string recorded_version(const PythonVersion& version) {
  std::string text = version.to_string();
  std::ranges::replace(text, '!', '_');
  return text;
}

trust::BuildProvenance describe_wheels(const store::LocalStore& store, PythonIndex& index,
                                       const PypiImport& import, const catalog::PackageBuild& build,
                                       const std::vector<ResolvedDistribution>& resolved,
                                       std::time_t started_at) {
  const nix::PathInfo info = info_of_input(store, build.outputs.at("out"));
  trust::BuildProvenance provenance = begin_provenance(info, build, started_at);
  provenance.build_type = pypi_import_type;
  provenance.command = import.command;
  for (const ResolvedDistribution& one : resolved) {
    const WheelFile& wheel = index.wheel(one.project, one.version);
    provenance.inputs.push_back(
        {.name = one.project,
         .uri = wheel.url,
         .digests = {{"sha256", wheel.hash.to_hex()}},
         .notes = {{"version", one.version.to_string()},
                   {"purl", trust::pypi_purl(one.project, one.version.to_string())}}});
  }
  end_inputs(provenance, store, info);
  return provenance;
}

}  // namespace

ImportedPackage import_pypi(store::LocalStore& store, const PypiImport& import) {
  const std::time_t started_at = std::time(nullptr);
  const std::string name = import.name.empty() ? import.wanted.name : import.name;
  if (!is_project_name(name))
    throw Error(ErrorKind::invalid_input,
                fmt::format("'{}' cannot be the name of the package", printable(name, 60)),
                "Use letters, digits and -_. between them.");
  Debian debian(import.debian);
  Importer importer(store, debian);
  const PythonTarget target = target_of(debian);
  Downloads downloads("pypi", import.index);
  PythonIndex index(import.index, target, downloads);
  debian.step(fmt::format("{}: choosing versions for Python {}", import.wanted.name, target.full_version));
  const auto resolved = resolve_python(index, {import.wanted}, import.pins, target.markers());

  std::vector<ImportedWheel> wheels;
  std::vector<ImportedPart> parts;
  for (const ResolvedDistribution& one : resolved) {
    const WheelFile& wheel = index.wheel(one.project, one.version);
    debian.step(fmt::format("{} {}: {}", one.project, one.version.to_string(), wheel.file_name));
    wheels.push_back(in_context("importing " + wheel.file_name, [&] {
      return import_wheel(store, importer, downloads.file(wheel.url, wheel.hash, max_wheel), wheel.name,
                          target);
    }));
    parts.push_back({.name = one.project, .version = one.version.to_string(), .path = wheels.back().path});
  }

  const PythonProgram python = interpreter_of(store, importer, target);
  const PythonMetadata& metadata = wheels.front().metadata;
  const std::string version = recorded_version(metadata.version);
  const std::string placeholder = placeholder_digest("pypi");
  const std::string store_name = fmt::format("{}-{}", name, version);
  BuildDirectory work(store);
  const Directory out = Directory(work.path()).make_directory("tree");
  PythonApplication(python, name, fmt::format("{}/{}-{}", nix::store_dir, placeholder, store_name))
      .write(store, wheels, out);
  out.make_directory("nix-support")
      .create_file("package.json", Directory(store.real_path(wheels.front().path))
                                       .read_file(trust::package_file_place, trust::max_package_file));
  nix::StorePathSet candidates = info_of_input(store, python.path).references;
  candidates.insert(python.path);
  for (const ImportedWheel& wheel : wheels) candidates.insert(wheel.path);
  const nix::StorePath path = store.add_tree(work.path() / "tree", store_name, candidates, placeholder).path;
  store.add_temp_roots({path});

  catalog::PackageBuild build;
  build.name = name;
  build.version = version;
  build.description = metadata.summary;
  build.license = metadata.license;
  ImportedPackage imported = importer.imported(std::move(build), path, "pypi-" + name, import.run_programs);
  imported.parts = std::move(parts);
  if (import.with_provenance)
    imported.provenance = describe_wheels(store, index, import, imported.build, resolved, started_at);
  record_programs(imported);
  return imported;
}

}  // namespace flox::package
