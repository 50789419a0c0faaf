"""The commands of flox that write, each as a case of command_trial.py; and where another test tries one."""
import json
import os
import re
import shutil
import stat

from command_trial import Case, read, read_json


# ---- what is before: a store, a catalog with a few packages, an environment ----

def add_package(world, name, version, text="", many=1):
    tree = world.path("packages", f"{name}-{version}")
    world.write(f"packages/{name}-{version}/bin/{name}", f"#!/bin/sh\necho {name} {version}{text}\n")
    os.chmod(os.path.join(tree, "bin", name), 0o755)
    for number in range(1, many):
        world.write(f"packages/{name}-{version}/share/{name}/{number}", f"{name} {number}\n" * 50)
    path = world.flox("store", "add", "--name", f"{name}-{version}", tree).strip()
    shutil.rmtree(tree)
    return path


def publish(world, name, version, **more):
    path = add_package(world, name, version, **more)
    world.flox("publish", "--store-path", path, "--name", name, "--version", version)
    return path


def make_base(world):
    for name in ("home", "tmp", "root", "project", "keys", "packages"):
        os.makedirs(world.path(name), exist_ok=True)
    world.port = world.port or 1
    public = world.flox("store", "keygen", "web-1", "--out", world.path("keys/web-1"))
    world.write("keys/web-1.pub", public)
    world.write("keys/token", "sesame\n")
    os.chmod(world.path("keys/token"), 0o600)
    world.port = None
    world.start_catalog()
    publish(world, "hello", "1.0")
    publish(world, "hello", "1.1", many=12)
    publish(world, "other", "1.0")
    world.flox("init", "-n", "web")
    world.stop_catalog()


# ---- states ----

def environment(directory="project", *more):
    names = ("env/manifest.toml", "env/manifest.lock", "env/origin.json", "env.json")
    return lambda world: {name: read(world.path(directory, ".flox", name)) for name in names} | {key: part(world) for key, part in more}


def files(*names):
    """Files and links; directories are no state, nor what is written beside a file."""
    return lambda world: {name: entry for name, entry in world.tree(*names).items()
                          if not stat.S_ISDIR(entry[0]) and not re.search(r"/\.[^/]+\.new$", name)}


PROFILE_OF_HELLO = "/api/v1/catalog/packages/hello/start-profile"


def catalog(*paths):
    def answers(world):
        found = {}
        for path in paths:
            text = world.get(path)
            found[path] = None if text is None else without_times(json.loads(text))
        return found
    return answers


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(part) for key, part in value.items() if not re.search("_at$|_date$|time|secret|hash", key)}
    if isinstance(value, list):
        return [without_times(part) for part in value]
    return value


def valid_paths(world):
    return {"valid": world.valid_paths()}


def works(program, directory="project"):
    return lambda world: world.flox("activate", "-d", world.path(directory), "--", program)


# ---- what is before a case ----

def installed(*packages):
    return lambda world: [world.flox("install", package) for package in packages]


def both(*parts):
    return lambda world: [part(world) for part in parts]


def write_manifest(text, directory="project"):
    return lambda world: world.write(f"{directory}/.flox/env/manifest.toml", text)


def outdated(world):
    world.flox("install", "hello@1.0")
    manifest = world.path("project/.flox/env/manifest.toml")
    text = re.sub(r"(?m)^hello\.version.*\n", "", read(manifest))
    write_manifest(text)(world)


def included(world):
    os.makedirs(world.path("common"))
    world.flox("init", "-n", "common", cwd="common")
    world.flox("install", "other", cwd="common")
    write_manifest('version = 1\n[include]\nenvironments = [{ dir = "../common" }]\n')(world)
    world.flox("lock")
    write_manifest('version = 1\n[install]\nother.pkg-path = "other"\n[vars]\nA = "new"\n', "common")(world)
    world.flox("lock", cwd="common")


def pushed(world):
    world.flox("install", "hello@1.0")
    world.flox("push")


def pushed_twice(world):
    pushed(world)
    world.flox("install", "other")
    world.flox("push")


def pulled_and_outdated(world):
    pushed(world)
    os.makedirs(world.path("mine"))
    world.flox("pull", "acme/web", "-d", world.path("mine"))
    world.flox("install", "other")
    world.flox("push")


def large_path(world):
    world.places["large"] = add_package(world, "large", "1.0", many=40)


def source_tree(world):
    for number in range(20):
        world.write(f"tree/{number}", f"{number}\n" * 300)


def other_store(world):
    """A binary cache in a directory, with a path that the store does not have."""
    environment = {"FLOX_ROOT": world.path("publisher")}
    world.write("packages/far/bin/far", "#!/bin/sh\necho far\n")
    for number in range(10):
        world.write(f"packages/far/share/{number}", f"far {number}\n" * 200)
    path = world.flox("store", "add", "--name", "far-1.0", world.path("packages/far"), extra=environment).strip()
    # By xz, which cannot be indexed: "flox store index" has something to do.
    world.flox("store", "copy", "--to", "file://" + world.path("cache"), "--compression", "xz", "--key", world.path("keys/web-1"), path, extra=environment)
    shutil.rmtree(world.path("packages/far"))
    world.places["far"] = path


def garbage(world):
    for name in ("one", "two"):
        add_package(world, name, "1.0", many=5)


def kept_paths(world):
    """What is installed is whole, and activates; of the rest each path is there or not."""
    world.flox("activate", "--", "hello")


def login_file(world):
    file = world.path("home/.config/flox/credentials.json")
    return {"file": read_json(file), "mode": oct(os.stat(file).st_mode & 0o777) if os.path.exists(file) else None}


OTHER_LOGIN = '{"catalogs":{"http://other":{"token":"t","user":"u","expires_at":""}}}'


def logged_in_elsewhere(world):
    world.write("home/.config/flox/credentials.json", OTHER_LOGIN)
    os.chmod(world.path("home/.config/flox/credentials.json"), 0o600)


def configured(world):
    world.write("home/.config/flox/config.toml", '# mine\nowner = "old"\n')


def start_profiles(world):
    """Of one environment: the node has one, and others are to be brought."""
    for name, begin in (("own", 0), ("other", 4096), ("third", 16384)):
        store_path = "0" * 32 + "-web-1.0"
        world.write(f"{name}.profile", json.dumps({"version": 1, "packages": [store_path],
                                                   "paths": [{"path": store_path, "ranges": [["bin/web", begin, begin + 4096]]}]}))
    world.flox("node", "profile", "import", world.path("own.profile"))


def profiles_of_hello(world):
    """What nodes have recorded of a package that the catalog has: it has one of them, and gets others."""
    for name, begin in (("first", 0), ("second", 4096), ("third", 16384)):
        store_path = "0" * 32 + "-hello-1.0"
        world.write(f"{name}.profile", json.dumps({"version": 1, "packages": [store_path],
                                                   "paths": [{"path": store_path, "ranges": [["bin/hello", begin, begin + 4096]]}]}))
    world.flox("node", "profile", "publish", world.path("first.profile"), "hello")


def owner_of_keys(world):
    world.flox("trust", "init", "acme", "--catalog-key", world.path("keys/web-1.pub"), "--signing-key", world.path("keys/web-1.pub"))
    for name in ("bob", "carol"):
        world.write(f"keys/{name}.pub", world.flox("store", "keygen", f"{name}-1", "--out", world.path("keys", name)))


def signed_metadata(world):
    code, said = world.run(["flox", "trust", "show", "acme", "--json"])
    if code != 0:
        return {"owner": None}
    shown = json.loads(said)
    roles = [{"role": role["role"], "threshold": role["threshold"], "keys": len(role["keys"])} for role in shown["roles"]]
    return {"trusted": shown["trusted"], "root": shown["root"]["version"], "targets": shown["targets"]["version"], "pending": len(shown["pending"]), "roles": roles}


def exists(*names):
    return lambda world: {name: os.path.lexists(world.path(name)) for name in names}


NEW_MANIFEST = 'version = 1\n[install]\nhello.pkg-path = "hello"\n[vars]\nA = "edited"\n'


def edited(world):
    world.write("new.toml", NEW_MANIFEST)


def cases():
    here = environment()
    return [
        # Environments.
        Case("init", ["init", "-n", "made"], cwd="made", setup=lambda world: os.makedirs(world.path("made")), state=environment("made"),
             already="has an environment already"),
        Case("install", ["install", "hello"], state=here, beside=["install", "other"]),
        # Of the catalog's environment, without a directory.
        Case("install", ["install", "-r", "acme/web", "other"], setup=pushed, remote=True, between=True, points=4, already="already installed",
             state=environment("project", ("latest", catalog("/api/v1/environments/acme/web")))),
        Case("uninstall", ["uninstall", "hello"], setup=installed("hello", "other"), state=here, beside=["uninstall", "other"],
             already="not installed|no package"),
        Case("edit", ["edit", "-f", "../new.toml"], setup=edited, state=here, beside=["install", "other"]),
        Case("upgrade", ["upgrade"], setup=outdated, state=here, beside=["install", "other"]),
        Case("lock", ["lock"], setup=edited_by_hand, state=here, beside=["install", "other"]),
        Case("include upgrade", ["include", "upgrade"], setup=included, state=here, beside=["install", "hello"]),
        Case("delete", ["delete", "--force"], setup=installed("hello"), state=here, already="no environment", beside=["install", "other"]),
        Case("activate", ["activate", "--", "hello"], setup=both(installed("hello"), new_store), state=valid_paths),
        Case("run", ["run", "hello"], setup=new_store, state=valid_paths, between=True),  # the package, then its profile
        Case("activate allow", ["activate", "allow"], state=files("home/.config/flox"), beside=["activate", "deny"]),
        Case("activate deny", ["activate", "deny"], state=files("home/.config/flox"), beside=["activate", "allow"]),
        Case("generations switch", ["generations", "switch", "1"], setup=pushed_twice, state=here),
        # Two at once go back to the same one: which it is was decided before.
        Case("generations rollback", ["generations", "rollback"], setup=pushed_twice, state=here, turns_back=True, beside=["generations", "switch", "1"]),
        Case("pull", ["pull"], cwd="mine", setup=pulled_and_outdated, state=environment("mine")),
        Case("push", ["push"], setup=both(pushed, installed("other")), remote=True, between=True,
             state=environment("project", ("latest", catalog("/api/v1/environments/acme/web")))),
        # Packages.
        Case("publish", ["publish", "--store-path", "{large}", "--name", "large", "--version", "1.0"], setup=large_path, remote=True,
             state=catalog("/api/v1/catalog/packages/large"), points=4),
        Case("yank", ["yank", "hello@1.0", "--reason", "broken"], remote=True, state=catalog("/api/v1/catalog/packages/hello"),
             beside=["yank", "hello@1.1", "--reason", "broken, too"]),
        Case("import nix", ["import", "nix", "{far}", "--from", "file://{now}/cache", "--no-smoke-run", "--quiet"], setup=other_store, state=valid_paths),
        Case("import lock", ["import", "lock", "../imported.lock", "--from", "{catalog}/cache", "--no-smoke-run", "--quiet"], setup=foreign_lock,
             state=valid_paths),
        # Of several store paths. Each begins with the lists of Debian's packages; what else it needs of Debian, an interpreter, is there.
        Case("import deb", ["import", "deb", "greet", *IMPORT], state=valid_paths, between=True, says=APT),
        Case("import pypi", ["import", "pypi", "app==1.0", "--index", "{pypi}", *IMPORT], setup=debian_package("python3"), state=valid_paths,
             between=True, says=APT),
        Case("import npm", ["import", "npm", "app@1.0.0", "--registry", "{npm}", *IMPORT], setup=debian_package("nodejs"), state=valid_paths,
             between=True, says=APT),
        Case("build", ["build", "--quiet"], setup=project, state=built, whole=result_is_whole),
        Case("containerize", ["containerize", "--tools", "{tools}", "-f", "{now}/web.tar"], setup=both(installed("hello"), image_tools),
             state=files("web.tar")),
        Case("node images", ["node", "images", "--output", "{now}/images.tar", "--pause", "{now}/pause"], state=files("images.tar"),
             setup=lambda world: world.write("pause", "a program\n")),
        Case("node profile import", ["node", "profile", "import", "{now}/other.profile"], setup=start_profiles,
             state=files("root/var/lib/flox/lazy-profiles"), beside=["node", "profile", "import", "{now}/third.profile"]),
        Case("node profile publish", ["node", "profile", "publish", "{now}/second.profile", "hello"], setup=profiles_of_hello, remote=True,
             state=catalog(PROFILE_OF_HELLO), beside=["node", "profile", "publish", "{now}/third.profile", "hello"]),
        Case("node profile unpublish", ["node", "profile", "unpublish", "hello"], setup=profiles_of_hello, remote=True,
             state=catalog(PROFILE_OF_HELLO), already="no start profile"),
        # The user's own files.
        Case("config", ["config", "--set", "owner", "new"], setup=configured, state=files("home/.config/flox/config.toml"),
             beside=["config", "--set", "catalog_token_file", "/token"]),
        Case("auth login", ["auth", "login", "--token-file", "{now}/keys/token"], setup=logged_in_elsewhere, state=login_file),
        Case("auth logout", ["auth", "logout"], setup=both(logged_in_elsewhere, log_in), state=login_file, already="."),
        Case("manual", ["manual", "{now}/share"], state=exists("share/man/man1/flox.1", "share/fish/vendor_completions.d/flox.fish"), between=True, points=3),
        Case("store keygen", ["store", "keygen", "new-1", "--out", "{now}/keys/new"], state=new_key, already="exists already"),
        # The store.
        Case("store add", ["store", "add", "{now}/tree"], setup=source_tree, state=valid_paths),
        Case("store realise", ["store", "realise", "--cache", "file://{now}/cache", "{far}"], setup=other_store, state=valid_paths),
        Case("store copy", ["store", "copy", "--to", "file://{now}/cache", "--key", "{now}/keys/web-1", "{large}"], setup=large_path, state=copied),
        Case("store index", ["store", "index", "file://{now}/cache", "--key", "{now}/keys/web-1"], setup=other_store, state=indexed),
        Case("store gc", ["store", "gc"], setup=both(installed("hello"), garbage), state=valid_paths, between=True, whole=kept_paths,
             alone=True),
        Case("store optimise", ["store", "optimise"], setup=garbage, state=hard_links, between=True),
        Case("store sign", ["store", "sign", "--key", "{now}/keys/web-1", "{large}"], setup=large_path, state=signatures),
        Case("store verify", ["store", "verify", "--repair", "--cache", "file://{now}/cache"], setup=damaged, state=damage, between=True, damaged=True),
        # The catalog.
        Case("auth token create", ["auth", "token", "create", "--scope", "read", "--owner", "acme"], setup=owned, remote=True, state=has_token),  # one more each time
        Case("auth token revoke", ["auth", "token", "revoke", "{token}"], setup=with_token, remote=True, state=is_revoked, already="."),
        Case("owner create", ["owner", "create", "shop"], remote=True, state=catalog("/api/v1/owners"), already="already"),
        Case("owner add", ["owner", "add", "acme", "ada", "--role", "publish"], setup=owned, remote=True, state=catalog("/api/v1/owners/acme"),
             beside=["owner", "add", "acme", "bob", "--role", "read"]),
        Case("owner remove", ["owner", "remove", "acme", "ada"], setup=member, remote=True, state=catalog("/api/v1/owners/acme"), already="."),
        Case("owner visibility", ["owner", "visibility", "acme", "private", "--package", "hello"], setup=owned, remote=True, state=seen_by_anybody),
        Case("catalog gc", ["catalog", "gc", "--grace", "0"], setup=orphan, remote=True, state=orphan_is_there, between=True),
        Case("catalog retention set", ["catalog", "retention", "set", "--versions", "1"], remote=True, state=catalog("/api/v1/catalog/retention")),
        Case("catalog retention apply", ["catalog", "retention", "apply"], setup=keeps_one, remote=True, state=catalog("/api/v1/catalog/packages/hello")),
        # Signed metadata. test/cli/trust_faults.sh ends each at every call.
        Case("trust init", ["trust", "init", "acme", "--catalog-key", "{now}/keys/web-1.pub"], state=signed_metadata, already="already"),
        Case("trust add-key", ["trust", "add-key", "acme", "web", "{now}/keys/bob.pub", "--paths", "web-*"], setup=owner_of_keys, state=signed_metadata,
             turns_back=True, beside=["trust", "add-key", "acme", "shop", "{now}/keys/carol.pub", "--paths", "shop-*"]),
        # A key that was made and did not get to be anybody's stays, with another number in its name.
        Case("trust rotate", ["trust", "rotate", "acme", "root"], setup=owner_of_keys, state=signed_metadata, turns_back=True, may=r"keys/root-\d+$",
             beside=["trust", "add-key", "acme", "shop", "{now}/keys/carol.pub", "--paths", "shop-*"]),
    ]


IMPORT = ["--apt-sources", "{debian}", "--no-smoke-run", "--quiet"]
APT = "lists cannot be fetched|cannot be downloaded"


def debian_package(name):
    return lambda world: world.flox("import", "deb", name, "--apt-sources", world.places["debian"], "--no-smoke-run", "--quiet")


def project(world):
    write_manifest('schema-version = "1.10.0"\n[build.tool]\nversion.file = "VERSION"\n'
                   'command = "mkdir -p $out/bin; cp VERSION $out/; install VERSION $out/bin/tool"\n')(world)
    world.write("project/VERSION", "1.0\n")
    world.flox("build", "--quiet")
    world.write("project/VERSION", "1.1\n")


def built(world):
    """The last of what a build leaves."""
    result = read_json(world.path("project/result-tool.json"))
    return {"version": result and result["version"]}


def result_is_whole(world):
    assert read(world.path("root" + os.readlink(world.path("project/result-tool"))[len(world.path("root")):], "VERSION")) in ("1.0\n", "1.1\n")


def image_tools(world):
    for name in ("flox", "sh"):
        world.write(f"packages/tools/bin/{name}", name)
    world.places["tools"] = world.flox("store", "add", "--name", "tools", world.path("packages/tools")).strip()
    shutil.rmtree(world.path("packages/tools"))


def edited_by_hand(world):
    write_manifest(NEW_MANIFEST)(world)


def new_store(world):
    shutil.rmtree(world.path("root"))
    os.makedirs(world.path("root"))


def foreign_lock(world):
    world.flox("install", "hello")
    shutil.copy(world.path("project/.flox/env/manifest.lock"), world.path("imported.lock"))
    new_store(world)


def log_in(world):
    world.flox("auth", "login", "--token-file", world.path("keys/token"))


def new_key(world):
    text = read(world.path("keys/new"))
    return {"key": text is not None and bool(re.fullmatch(r"new-1:.{88}\n?", text))}


def copied(world):
    return {"there": os.path.exists(world.path("cache", world.places["large"][11:43] + ".narinfo"))}


def indexed(world):
    text = read(world.path("cache", world.places["far"][11:43] + ".narinfo"))
    return {"indexed": "zst" in (text or ""), "there": text is not None}


def hard_links(world):
    return {name: os.lstat(world.path(name)).st_nlink for name in world.tree("root/nix/store") if os.path.isfile(world.path(name))}


def signatures(world):
    return {"info": json.loads(world.flox("store", "info", "--json", world.places["large"]))}


def damaged(world):
    other_store(world)
    world.flox("store", "realise", "--cache", "file://" + world.path("cache"), world.places["far"])
    file = world.path("root" + world.places["far"], "bin/far")
    os.chmod(file, 0o644)
    with open(file, "a") as opened:
        opened.write("damage")
    os.chmod(file, 0o444)


def damage(world):
    return {"file": world.tree("root" + world.places["far"]).get("root" + world.places["far"] + "/bin/far")}


def with_token(world):
    owned(world)
    world.flox("auth", "token", "create", "--scope", "read", "--owner", "acme")
    world.places["token"] = json.loads(world.get("/api/v1/auth/tokens"))["items"][0]["id"]


def has_token(world):
    return {"token": bool(json.loads(world.get("/api/v1/auth/tokens"))["items"])}


def is_revoked(world):
    return {"revoked": [bool(item.get("revoked_at")) for item in json.loads(world.get("/api/v1/auth/tokens"))["items"]]}


def seen_by_anybody(world):
    return {"seen": world.get("/api/v1/catalog/packages/hello", authorised=False) is not None}


def owned(world):
    world.flox("owner", "create", "acme")


def member(world):
    owned(world)
    world.flox("owner", "add", "acme", "ada", "--role", "read")


def orphan(world):
    large_path(world)
    world.flox("store", "copy", "--to", f"http://127.0.0.1:{world.port}/cache?token-file={world.path('keys/token')}", "--key", world.path("keys/web-1"), world.places["large"])


def orphan_is_there(world):
    return {"orphan": world.get(f"/cache/{world.places['large'][11:43]}.narinfo") is not None}


def keeps_one(world):
    world.flox("catalog", "retention", "set", "--versions", "1")


# The others: which test ends them, or why nobody does.
ELSEWHERE = {
    "catalog serve": ("test/cli/catalog_serve.sh", "a server, which is killed there at each step of its beginning"),
    "kube": ("test/kube/failures.sh", "another program, flox-kube"),
    "node bundle": (None, "one archive of much that takes long to make"),
    "node install": ("test/node/failed_install.sh", "needs a node"),
    "node label": (None, "one call of kubectl"),
    "node on-host": (None, "whatever the command is that it runs"),
    "node prefetch": ("test/node/prefetch.sh", "floxd does it, which is killed there"),
    "node runtime": (None, "of this machine's own programs; its store paths are made as those of 'import deb'"),
    "node uninstall": (None, "needs a node"),
    "node unpack": (None, "needs the image of a node"),
    "services restart": ("test/cli/services.sh", "the keeper does it, which is killed there"),
    "services start": ("test/cli/services.sh", "the keeper does it, which is killed there"),
    "services stop": ("test/cli/services.sh", "the keeper does it, which is killed there"),
    "store mount": ("test/store/mount_kills.sh", "a server, which is killed there with its keeper, and has no room on its disk"),
    "trust accept": ("test/cli/trust_faults.sh", "ended there at every call"),
    "trust publish": ("test/catalog/every_fault.sh", "two files, which the catalog takes one by one"),
    "trust renew": ("test/cli/trust_faults.sh", "ended there at every call"),
    "trust revoke": ("test/cli/trust_faults.sh", "ended there at every call"),
    "trust sign": ("test/cli/trust_faults.sh", "replaces one file, as the others of that test"),
}
