"""The commands of flox that change nothing, by their help: each is run where all that it could change is watched, and again where
nothing can be written, but the store or not that either."""
import re
import shlex

from command_trial import Failure, difference
from writing_commands import owned, pushed_twice, start_profiles

# What a reading command may write: what is fetched again where it is missing, and what the database itself keeps beside it.
ALLOWED = re.compile(
    r"home/\.cache(/flox(/.*)?)?$"        # answers of catalogs and caches
    r"|trust-state(/.*)?$"                # the newest signed metadata that was seen, so that nobody shows older ones
    r"|root/nix/var/nix/(db|flox|temproots)$"  # these directories' times: the database's files beside it come and go, and what a
                                          # command that reads a path keeps from the collector meanwhile
    r"|project/\.flox/run/lock$"          # who has the environment to itself (upgrade --dry-run)
    r"|.*\.sqlite-(wal|shm)$"
    r"|tmp$")                             # the time of the directory for temporary files

COMMANDS = {
    "activate hook": ["activate hook bash", "activate hook fish"],
    "auth status": ["auth status"],
    "auth token list": ["auth token list"],
    "catalog retention show": ["catalog retention show", "catalog retention show acme"],
    "complete-words": ["complete-words flox list --"],
    "completion": ["completion bash"],
    "deactivate": ["deactivate"],
    "envs": ["envs", "envs --json"],
    "generations diff": ["generations diff 1 2"],
    "generations history": ["generations history"],
    "generations list": ["generations list"],
    "hook-env": ["hook-env --shell bash"],
    "list": ["list", "list --json", "list --config", "list --name"],
    "node doctor": ["node doctor"],
    "node profile export": ["node profile export {profile}"],
    "node profile list": ["node profile list", "node profile list --json"],
    "node starts": ["node starts"],
    "node status": ["node status"],
    "owner list": ["owner list"],
    "owner members": ["owner members acme"],
    "policy admission": ["policy admission"],
    "policy explain": ["policy explain"],
    "policy test": ["policy test ../pod.yaml"],
    "sbom": ["sbom", "sbom --format cyclonedx"],
    "sbom diff": ["sbom diff hello@1.0 hello@1.0"],
    "search": ["search hel", "search hello --json"],
    "services logs": ["services logs"],
    "services status": ["services status"],
    "show": ["show hello"],
    "store cat": ["store cat {hello}/bin/hello"],
    "store closure": ["store closure --sizes {hello}"],
    "store info": ["store info {hello}"],
    "store key": ["store key --key {now}/keys/web-1"],
    "store leases": ["store leases"],
    "store ls": ["store ls {hello}"],
    "store roots": ["store roots"],
    "trust show": ["trust show acme"],
    "verify": ["verify", "verify hello"],
    # Of those that may change something: as they are run to read.
    "config": ["config", "config --json", "config --explain"],
    "store verify": ["store verify"],
    "upgrade": ["upgrade --dry-run"],
    "activate": ["activate -- true", "activate --print-script"],
}
HIDDEN = {"complete-words", "hook-env"}  # no help lists these
# Not here: servers.
ELSEWHERE = {"store serve": "test/store/serve.sh"}

POD = """apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {runtimeClassName: flox, containers: [{name: web, image: flox/empty:1.0.0}]}
"""


def set_up(world):
    owned(world)
    pushed_twice(world)
    world.flox("activate", "--", "true")
    world.write("pod.yaml", POD)
    start_profiles(world)
    world.profile = world.flox("node", "profile", "list").split()[0]
    world.hello = next(path for path in world.valid_paths() if path.endswith("-hello-1.0"))


def watched(world):
    return {name: entry for name, entry in world.tree(times=True).items() if not ALLOWED.match(name)}


def read_only(words, directory, store):
    """The command where only temporary files can be written, and the store, which has locks and its database, if `store` is rw."""
    script = """
set -e
mount --bind "$0" "$0"
mount -o remount,bind,ro "$0"
mount --bind "$0/root" "$0/root"
mount -o remount,bind,STORE "$0/root"
mount -t tmpfs tmpfs "$0/tmp"
cd "$0/project"
exec "$@"
""".replace("STORE", store)
    return ["unshare", "--mount", "sh", "-c", script, directory, *words]


def run_reading(world, commands):
    """Gives what is wrong, one text for each."""
    complaints, runs = [], 0
    for name, changes in commands.items():
        if not changes and name not in COMMANDS and name not in ELSEWHERE:
            complaints.append(f"flox {name} says that it changes nothing, and nobody looks: add it to reading_commands.py")
    for name in COMMANDS:
        if name not in commands and name not in HIDDEN:
            complaints.append(f"there is no flox {name}")
    world.start_catalog()
    set_up(world)
    for lines in COMMANDS.values():
        for line in lines:
            words = ["flox", *shlex.split(line.replace("{now}", world.now).replace("{hello}", world.hello)
                                          .replace("{profile}", world.profile))]
            world.run(words)  # what it caches is there
            before = watched(world)
            code, said = world.run(words)
            runs += 1
            after = watched(world)
            if after != before:
                complaints.append(f"flox {line} has written: {difference(after, before)}")
            for store, what in (("rw", "it"), ("ro", "with the store on a read-only file system it")):
                try:
                    closed_code, closed_said = world.run(read_only(words, world.now, store))
                except Failure as error:
                    closed_code, closed_said = -1, str(error)
                if closed_code != code:
                    complaints.append(f"flox {line} needs to write: {what} ended with {closed_code} in place of {code}: {closed_said}\nBefore: {said}")
    code, said = world.run(read_only(["flox", "store", "add", world.path("keys")], world.now, "ro"))
    if code == 0 or "ead-only file system" not in said:
        complaints.append(f"flox store add, to a store on a read-only file system, ended with {code}: {said}")
    world.stop_catalog()
    return complaints, runs
