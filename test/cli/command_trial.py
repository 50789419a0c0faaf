"""Tries one command of flox at a time: killed, without room, beside another one. Used by every_command.py.

A world is a directory of one worker: NOW has all that a command can change (home, store, temporary files, projects) and
nothing else, so that a copy of it is what was before."""
import hashlib
import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import time
import urllib.error
import urllib.request

PATIENCE = 120  # seconds after which a command that has not ended hangs


class Failure(Exception):
    pass


def copy(source, target):
    subprocess.run(["rm", "-rf", target], check=True)
    subprocess.run(["cp", "-a", "--sparse=always", "--reflink=auto", source, target], check=True)


class World:
    # `places`: what else stands in braces in a case's words, beside those of Trial.command().
    def __init__(self, directory, at_call, places=None):
        self.directory, self.at_call, self.places = directory, at_call, dict(places or {})
        self.now, self.served = os.path.join(directory, "now"), os.path.join(directory, "served")
        self.server = self.port = None
        os.makedirs(self.now)
        os.makedirs(self.served)

    def path(self, *names):
        return os.path.join(self.now, *names)

    def environment(self):
        kept = {name: value for name, value in os.environ.items() if not re.match(r"_?(FLOX|XDG|AWS|CONTAINER)", name)}
        key = self.path("keys/web-1")
        kept.update(
            HOME=self.path("home"), TMPDIR=self.path("tmp"), FLOX_ROOT=self.path("root"), FLOX_ALLOW_UNSIGNED="true",
            FLOX_CATALOG_URL=f"http://127.0.0.1:{self.port}", FLOX_SIGNING_PRIVATE_KEY=key, FLOX_OWNER="acme",
            FLOX_TRUST_DIR=self.path("trust"), FLOX_TRUST_STATE_DIR=self.path("trust-state"))
        if os.path.exists(key + ".pub"):
            kept["FLOX_TRUSTED_KEYS"] = open(key + ".pub").read().strip()
        if os.path.exists(self.path("keys/token")):
            kept["FLOX_CATALOG_TOKEN"] = open(self.path("keys/token")).read().strip()
        return kept

    # The command's exit code and what it has said.
    def run(self, words, cwd="project", before=(), extra=None, stdin=None):
        try:
            done = subprocess.run([*before, *words], cwd=self.path(cwd), env=self.environment() | (extra or {}), text=True,
                                  stdin=subprocess.DEVNULL if stdin is None else None, input=stdin,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, errors="replace")
        except subprocess.TimeoutExpired as expired:
            raise Failure(f"it hangs: {expired.output}") from expired
        return done.returncode, done.stdout

    def flox(self, *words, **more):
        code, said = self.run(["flox", *words], **more)
        if code != 0:
            raise Failure(f"flox {' '.join(words)} ended with {code}: {said}")
        return said

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as file:
            file.write(text)

    # The catalog serves what is in NOW.
    def start_catalog(self):
        if self.port is None:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        with open(os.path.join(self.directory, "catalog.log"), "ab") as log:
            self.server = subprocess.Popen(
                ["flox-catalog", "--listen", f"127.0.0.1:{self.port}", "--data", self.served, "--token-file", self.path("keys/token"),
                 "--trusted-key", open(self.path("keys/web-1.pub")).read().strip()],
                env=self.environment(), stdout=log, stderr=log)
        end = time.monotonic() + 60
        while self.get("/readyz") is None:
            if self.server.poll() is not None or time.monotonic() > end:
                raise Failure("the catalog does not start: " + open(os.path.join(self.directory, "catalog.log")).read()[-2000:])
            time.sleep(0.02)

    def stop_catalog(self):
        if self.server is not None:
            self.server.terminate()
            self.server.wait()
            self.server = None

    def get(self, path, authorised=True):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        token = self.path("keys/token")
        if authorised and os.path.exists(token):
            request.add_header("Authorization", "Bearer " + open(token).read().strip())
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return None

    # The catalog's data are apart: while they stay as they are the catalog goes on serving.
    def save(self, name):
        copy(self.now, os.path.join(self.directory, name))
        copy(self.served, os.path.join(self.directory, name + "-served"))

    def restore(self, name, served=True):
        copy(os.path.join(self.directory, name), self.now)
        if served:
            copy(os.path.join(self.directory, name + "-served"), self.served)

    # What is there, by its name: the kind, the mode, and the content or where a link leads to. Times, if they are asked for.
    def tree(self, *names, times=False):
        found = {}

        def look(path):
            status = os.lstat(path)
            kind, content = stat.S_IFMT(status.st_mode), ""
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            found[os.path.relpath(path, self.now)] = (kind, status.st_mode & 0o7777, content, *((status.st_mtime_ns,) if times else ()))
            if stat.S_ISDIR(status.st_mode):
                for name in os.listdir(path):
                    look(os.path.join(path, name))

        for name in names or ("",):
            if os.path.lexists(self.path(name)):
                look(self.path(name))
        return found

    def valid_paths(self):
        database = self.path("root/nix/var/nix/db/db.sqlite")
        if not os.path.exists(database):
            return []
        done = subprocess.run(["sqlite3", database, "select path from ValidPaths order by path"], capture_output=True, text=True, check=True)
        return done.stdout.split()

    def store_is_whole(self):
        if os.path.exists(self.path("root/nix/var/nix/db/db.sqlite")):
            code, said = self.run(["flox", "store", "verify"])
            if code != 0:
                raise Failure(f"the store is damaged: {said}")


class Case:
    """One command that writes.

    words    the command, and where it runs (cwd)
    setup    makes what is before, on top of the base; called once
    state    gives what is promised to be as before or as after, never between
    beside   another command of that kind that runs at the same time (default: the same)
    already  what the command may say if it is run again after it has done its work
    remote   the catalog's data is part of what changes
    may      names (regular expression) that differ from run to run: in them a part is random
    turns_back  run again, it takes back what it has done, or does it once more
    damaged  the store is damaged before
    says     what an error of the disk may be instead (regular expression): another program, which does not always say it
    stays    processes (regular expression) that the command leaves on purpose
    without  what is not tried: killed, without_room, beside
    points   how many points are tried, in place of POINTS
    alone    what other processes on the machine use changes what is right: no other case runs meanwhile
    between  whether states between before and after are whole, too; what must hold is checked by whole()
    """

    def __init__(self, command, words, *, setup=None, state=None, beside=None, already=None, remote=False, may=None, cwd="project",
                 whole=None, between=False, damaged=False, turns_back=False, says=None, stays=None, without=(), points=None,
                 alone=False):
        self.command, self.words, self.setup, self.state, self.beside = command, words, setup, state, beside or words
        self.already, self.remote, self.may, self.cwd, self.whole, self.between = already, remote, may, cwd, whole, between
        self.damaged, self.turns_back, self.says, self.stays = damaged, turns_back, says, stays
        self.without, self.points, self.alone = without, points, alone


# What of the names in a tree is made anew each time (nothing: it does not count), or is what a garbage collection removes.
RANDOM = [
    (re.compile(r"root/nix/var/nix/temproots/\d+$"), None),  # of a process; 'flox store gc' removes those of processes that are no more
    (re.compile(r"\.sqlite-(wal|shm)$"), None),  # go with the last who has the database open
    (re.compile(r"root/nix/var/nix/flox/(scratch|staging|trash)/"), None),
    (re.compile(r"home/\.cache(/|$)|tmp/flox-\d+(/|$)"), None),  # caches; the second is where they are if there is no home for them
    (re.compile(r"(?<=gcroots/auto/)[0-9a-z]+$|(?<=state/flox/environments/)[0-9a-z]+$"), "*"),  # digests of where caches are
    (re.compile(r"(?<=gcroots/flox-links/)[0-9a-f]+-[0-9a-f]+$"), "*"),  # of a file's number; 'flox store gc' removes those that lead nowhere
]


def names(tree, case):
    found = set()
    for name in tree:
        if any(pattern.search(name) and to is None for pattern, to in RANDOM):
            continue
        for pattern, to in RANDOM:
            name = pattern.sub(to, name) if to is not None else name
        if case.may:
            name = re.sub(case.may, "*", name)
        found.add(name)
    return found


class Trial:
    def __init__(self, world, case, points):
        self.world, self.case, self.points = world, case, case.points or points
        self.report = os.path.join(world.directory, "report")
        self.runs = self.ended = 0

    def fail(self, what, text):
        raise Failure(f"flox {' '.join(self.case.words)}: {what}: {text}")

    def restore(self):
        if self.case.remote:
            self.world.stop_catalog()
        self.world.restore("before", served=self.case.remote)
        if self.case.remote or self.world.server is None:
            self.world.start_catalog()

    def state(self):
        return self.case.state(self.world)

    def command(self, words=None):
        values = self.world.places | {"now": self.world.now, "catalog": f"http://127.0.0.1:{self.world.port}"}
        return ["flox", *(re.sub(r"\{(\w+)\}", lambda found: values[found[1]], word) for word in words or self.case.words)]

    # What happens at the call of that number, or at the last one of a run that makes fewer: of threads and of what a command waits
    # for it depends how many there are.
    def at(self, action, number, **extra):
        while True:
            code, said, told = self.at_once(action, number, **extra)
            if number == 0 or "hit" in told:
                return code, said, told
            number = min(int(told["calls"]), number - 1)
            self.restore()

    def at_once(self, action, number, **extra):
        before = [self.world.at_call, self.report, action, str(number)]
        code, said = self.world.run(self.command(), cwd=self.case.cwd, before=before, extra=extra | {"LEFT_WAIT": "60"})
        lines = [line.rstrip("\n").split(" ", 1) for line in open(self.report, errors="replace")]
        told = {line[0]: line[1] if len(line) > 1 else "" for line in lines}
        left = [line[1] for line in lines if line[0] == "left" and not (self.case.stays and re.search(self.case.stays, line[1]))]
        if left:
            for line in left:
                try:
                    os.kill(int(line.split()[0]), signal.SIGKILL)
                except OSError:
                    pass
            self.fail(f"{action} at call {number} ({told.get('hit')})", f"it has left processes: {left}")
        return code, said, told

    def prepare(self):
        world = self.world
        world.stop_catalog()
        world.restore("base")
        world.start_catalog()
        if self.case.setup:
            self.case.setup(world)
        world.stop_catalog()
        world.save("before")
        self.restore()
        self.before = self.state()
        code, said, told = self.at("count", 0)
        if code != 0:
            self.fail("without a fault", said)
        self.after = self.state()
        if self.after == self.before:
            self.fail("without a fault", "it changes nothing of its state")
        if self.case.whole:
            self.case.whole(world)
        self.names = names(world.tree(), self.case)
        self.calls = int(told["calls"])
        self.restore()
        _, _, told = self.at("fail=EIO", 0)
        self.puts = int(told["calls"])

    def sample(self, count):
        if count == 0:
            return []
        if not self.points:
            return list(range(1, count + 1))
        if self.points == 1:
            return [(count + 1) // 2]
        return sorted({1 + (count - 1) * i // (self.points - 1) for i in range(self.points)})

    # After something has happened at a call: all is whole, and the command run again ends it.
    def check(self, what, said):
        world, case = self.world, self.case
        now = self.state()
        if not case.between and now not in (self.before, self.after):
            self.fail(what, f"neither before nor after: {difference(now, self.before, self.after)}\nIt said: {said}")
        if not case.damaged:
            world.store_is_whole()
        if case.whole:
            case.whole(world)
        if case.turns_back and now == self.after:
            return
        code, words = world.run(self.command(), cwd=case.cwd)
        if code != 0 and not (case.already and re.search(case.already, words)):
            self.fail(what, f"it does not succeed when it is run again: {words}\nBefore it said: {said}")
        again = self.state()
        if again != self.after:
            self.fail(what, f"run again, it is not as after: {difference(again, self.after)}")
        self.nothing_left(what, was_done=now == self.after)

    # What is left to the collector is gone after it.
    def collected(self):
        if not os.path.exists(self.world.path("root/nix/var/nix/db")):
            return
        self.world.flox("store", "gc")
        left = [name for name in self.world.tree("root/nix/var/nix") if re.search(r"temproots/\d+$|(scratch|staging|trash)/.", name)]
        if left:
            self.fail("after a garbage collection", "there is left: " + ", ".join(left[:10]))

    # A temporary directory goes with the next one of its prefix, which a command that finds its work done does not make.
    def nothing_left(self, what, was_done):
        more = names(self.world.tree(), self.case) - self.names
        if was_done:
            more = {name for name in more if not re.search(r"(^|/)[^/]*tmp\.\w{6}(/|$)", name)}
        if more:
            self.fail(what, "there is left: " + ", ".join(sorted(more)[:10]))

    def killed(self):
        for number in self.sample(self.calls):
            self.restore()
            code, said, told = self.at("kill", number)
            self.runs += 1
            self.ended += code == 137
            self.check(f"killed at call {number} of {self.calls} ({told.get('hit')})", said)
        self.collected()

    def without_room(self):
        for index, number in enumerate(self.sample(self.puts)):
            error = ("ENOSPC", "EIO")[index % 2] if self.points else "ENOSPC"
            for name in (error,) if self.points else ("ENOSPC", "EIO"):
                self.restore()
                code, said, told = self.at("fail=" + name, number)
                self.runs += 1
                what = f"{name} at call {number} of {self.puts} ({told.get('hit')})"
                if code == 0:
                    if not self.case.between and self.state() != self.after:
                        self.fail(what, f"it says that it has succeeded: {difference(self.state(), self.after)}\nIt said: {said}")
                else:
                    self.ended += 1
                    wrong = "No space left on device|Input/output error|disk is full|disk I/O error" + (f"|{self.case.says}" if self.case.says else "")
                    if "ERROR" not in said or not re.search(wrong, said):
                        self.fail(what, f"it does not say what is wrong (exit code {code}): {said}")
                self.check(what, said)

    # Two at once: the second one begins while the first one stands before its N-th call.
    def beside(self):
        case, world = self.case, self.world
        ends = []  # the states that one after the other gives, by the exit codes
        for first, second in ((case.words, case.beside), (case.beside, case.words)):
            self.restore()
            for words in (first, second):
                world.run(self.command(words), cwd=case.cwd)
            ends.append(self.state())
        for alone in (case.words, case.beside):
            self.restore()
            world.run(self.command(alone), cwd=case.cwd)
            ends.append(self.state())
        quoted = shlex.join(self.command(case.beside))
        other = os.path.join(world.directory, "other")
        for number in self.sample(self.calls):
            self.restore()
            code, said, told = self.at("meanwhile", number, MEANWHILE=f"exec {quoted} >{other} 2>&1 </dev/null")
            self.runs += 1
            what = f"beside flox {' '.join(case.beside)} that begins at call {number} of {self.calls} ({told.get('hit')})"
            if "during" not in told:
                self.fail(what, "the other one has not ended")
            codes = code, int(told["during"])
            words = said, open(other).read()
            for one, text in zip(codes, words):
                if one != 0 and "ERROR" not in text:
                    self.fail(what, f"one of them ended with {one} and said: {text}")
            allowed = {(True, True): ends[:2], (True, False): [ends[0], ends[2]], (False, True): [ends[1], ends[3]]}.get((codes[0] == 0, codes[1] == 0))
            if allowed is None:
                self.fail(what, f"both failed: {words}")
            if self.state() not in allowed:
                self.fail(what, f"exit codes {codes}, and an effect is lost: {difference(self.state(), *allowed)}\nThey said: {words}")
            world.store_is_whole()
            if case.whole:
                case.whole(world)

    def run(self):
        self.prepare()
        for what in ("killed", "without_room", "beside"):
            if what not in self.case.without:
                getattr(self, what)()


def difference(now, *others):
    def short(value):
        text = str(value)
        return text if len(text) < 300 else text[:150] + " … " + text[-150:]

    texts = []
    for other in others:
        if isinstance(now, dict) and isinstance(other, dict):
            parts = [f"{key}: {short(now.get(key))} instead of {short(other.get(key))}" for key in sorted(set(now) | set(other), key=str) if now.get(key) != other.get(key)]
            texts.append("; ".join(parts[:6]))
        else:
            texts.append(f"{short(now)} instead of {short(other)}")
    return " | ".join(texts)


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_json(path):
    text = read(path)
    return None if text is None else json.loads(text)
