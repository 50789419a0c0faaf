#!/usr/bin/env python3
"""What a release says of its files.

  release_statements.py sbom FILE NAME VERSION [--deb] [--contains PACKAGE…]
      prints an SPDX 2.3 document of an archive: its files, and of a Debian package what it depends on; PACKAGEs are Debian's, of
      which parts are compiled into the programs.
  release_statements.py tools
      prints the packages of this machine that the project is built with, a line each (package URLs)
  release_statements.py provenance DIRECTORY --commit HASH --source URI --version V --architectures A,B --tools FILE
      prints a statement (in-toto, SLSA provenance 1.0) of all files in the directory, made with the packages in FILE.
  release_statements.py envelope STATEMENT SIGNED-BYTES     writes what a signature of the statement covers (DSSE 1.0)
  release_statements.py seal STATEMENT SIGNATURE KEY-ID     prints the envelope
  release_statements.py check DIRECTORY ENVELOPE SIGNED-BYTES SIGNATURE
      compares the statement in the envelope with the files, and writes what is to be verified of it

SOURCE_DATE_EPOCH is the time of the documents; the same files give the same bytes.
"""
import argparse
import base64
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.parse

TYPE = "application/vnd.in-toto+json"
UNKNOWN = "NOASSERTION"
# Files of a release that are about the others.
ABOUT = ("SHA256SUMS", "SHA256SUMS.sig", "provenance.intoto.jsonl")


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def created():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"])))


def output(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def installed(name):
    """The version and architecture of a Debian package of this machine; nothing if it is not installed."""
    result = subprocess.run(["dpkg-query", "-W", "-f", "${Version} ${Architecture}\n", name], capture_output=True, text=True)
    return result.stdout.split("\n")[0].split() if result.returncode == 0 else None


def debian(name):
    """A package of Debian's, as this machine has it."""
    found = installed(name)
    package = {"SPDXID": f"SPDXRef-debian-{re.sub('[^A-Za-z0-9.-]', '-', name)}", "name": name, "downloadLocation": UNKNOWN,
               "filesAnalyzed": False, "supplier": "Organization: Debian", "licenseConcluded": UNKNOWN, "licenseDeclared": UNKNOWN,
               "copyrightText": UNKNOWN}
    if found:
        version, architecture = found
        url = f"pkg:deb/debian/{urllib.parse.quote(name)}@{urllib.parse.quote(version, safe='')}?arch={architecture}"
        package["versionInfo"] = version
        package["externalRefs"] = [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": url}]
    return package


def files_below(directory):
    entries = []
    for path in sorted(path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()):
        content = path.read_bytes()
        entries.append({"SPDXID": f"SPDXRef-file-{len(entries)}", "fileName": f"./{path.relative_to(directory)}",
                        "checksums": [{"algorithm": "SHA1", "checksumValue": hashlib.sha1(content).hexdigest()},
                                      {"algorithm": "SHA256", "checksumValue": hashlib.sha256(content).hexdigest()}],
                        "licenseConcluded": UNKNOWN, "licenseInfoInFiles": [UNKNOWN], "copyrightText": UNKNOWN})
    return entries


def depends(deb):
    """Names that the package asks for; of alternatives the first."""
    text = output("dpkg-deb", "-f", deb, "Depends").strip()
    return [re.split(r"[ (|]", part.strip())[0] for part in text.split(",") if part.strip()]


def sbom(options):
    own = "SPDXRef-artefact"
    with tempfile.TemporaryDirectory() as directory:
        tree = pathlib.Path(directory)
        if options.deb:
            output("dpkg-deb", "-x", options.file, directory)
        else:
            with tarfile.open(options.file) as archive:
                archive.extractall(tree, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(tree)
        files = files_below(tree)
    # SPDX 2.3, section 7.9: of the SHA-1 sums of all files, sorted.
    code = hashlib.sha1("".join(sorted(file["checksums"][0]["checksumValue"] for file in files)).encode()).hexdigest()
    artefact = {"SPDXID": own, "name": options.name, "versionInfo": options.version, "packageFileName": os.path.basename(options.file),
                "downloadLocation": UNKNOWN, "filesAnalyzed": True, "packageVerificationCode": {"packageVerificationCodeValue": code},
                "checksums": [{"algorithm": "SHA256", "checksumValue": sha256(options.file)}], "licenseConcluded": UNKNOWN,
                "licenseDeclared": "Apache-2.0", "licenseInfoFromFiles": [UNKNOWN], "copyrightText": UNKNOWN, "supplier": UNKNOWN}
    packages, relationships = {}, [("SPDXRef-DOCUMENT", "DESCRIBES", own)]
    relationships += [(own, "CONTAINS", file["SPDXID"]) for file in files]
    for kind, names in (("STATIC_LINK", options.contains), ("DEPENDS_ON", depends(options.file) if options.deb else [])):
        for name in names:
            package = packages.setdefault(name, debian(name))
            relationships.append((own, kind, package["SPDXID"]))
    digest = artefact["checksums"][0]["checksumValue"]
    print(json.dumps({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"{options.name} {options.version}",
        "documentNamespace": f"urn:flox-imageless:sbom:sha256:{digest}",
        "creationInfo": {"created": created(), "creators": ["Tool: flox-imageless-release"]},
        "packages": [artefact, *packages.values()], "files": files,
        "relationships": [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b} for a, kind, b in relationships],
    }, indent=1))


def subjects(directory):
    return [{"name": path.name, "digest": {"sha256": sha256(path)}}
            for path in sorted(pathlib.Path(directory).iterdir()) if path.is_file() and path.name not in ABOUT]


def tools(_):
    listed = pathlib.Path(__file__).resolve().parents[1] / "packages.txt"
    names = []
    for line in listed.read_text().splitlines():
        if line.startswith("# Programs that run beside ours"):
            break
        if line and not line.startswith("#"):
            names.append(line.split()[0])
    for name in names:
        for reference in debian(name).get("externalRefs", []):
            print(reference["referenceLocator"])


def provenance(options):
    used = list(dict.fromkeys(pathlib.Path(options.tools).read_text().split()))
    print(json.dumps({
        "_type": "https://in-toto.io/Statement/v1", "subject": subjects(options.directory),
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:flox-imageless:script-release:1",
                "externalParameters": {"version": options.version, "architectures": options.architectures.split(",")},
                "internalParameters": {"sourceDateEpoch": int(os.environ["SOURCE_DATE_EPOCH"])},
                "resolvedDependencies": [{"uri": options.source, "digest": {"gitCommit": options.commit}}] + [{"uri": url} for url in used],
            },
            "runDetails": {"builder": {"id": options.builder}},
        }}, separators=(",", ":")))


def signed_bytes(payload):
    return b"DSSEv1 %d %s %d %s" % (len(TYPE), TYPE.encode(), len(payload), payload)


def envelope(options):
    pathlib.Path(options.to).write_bytes(signed_bytes(pathlib.Path(options.statement).read_bytes()))


def seal(options):
    payload, signature = (base64.b64encode(pathlib.Path(path).read_bytes()).decode() for path in (options.statement, options.signature))
    print(json.dumps({"payloadType": TYPE, "payload": payload, "signatures": [{"keyid": options.key_id, "sig": signature}]}))


def check(options):
    document = json.loads(pathlib.Path(options.envelope).read_text())
    if document["payloadType"] != TYPE or len(document["signatures"]) != 1:
        sys.exit("the provenance is not an in-toto statement with one signature")
    payload = base64.b64decode(document["payload"], validate=True)
    pathlib.Path(options.to).write_bytes(signed_bytes(payload))
    pathlib.Path(options.signature).write_bytes(base64.b64decode(document["signatures"][0]["sig"], validate=True))
    if json.loads(payload)["subject"] != subjects(options.directory):
        sys.exit("the provenance is not of these files")


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)

    def command(name, function, *positional):
        added = commands.add_parser(name)
        added.set_defaults(function=function)
        for argument in positional:
            added.add_argument(argument)
        return added

    bill = command("sbom", sbom, "file", "name", "version")
    bill.add_argument("--deb", action="store_true")
    bill.add_argument("--contains", nargs="*", default=[])
    command("tools", tools)
    statement = command("provenance", provenance, "directory")
    for name in ("commit", "source", "version", "architectures", "builder", "tools"):
        statement.add_argument(f"--{name}", required=True)
    command("envelope", envelope, "statement", "to")
    command("seal", seal, "statement", "signature", "key_id")
    command("check", check, "directory", "envelope", "to", "signature")
    options = parser.parse_args()
    options.function(options)


main()
