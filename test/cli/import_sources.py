"""Where every_command.py's imports come from: a repository of Debian packages, an index of wheels and a registry of npm packages."""
import os
import subprocess
import sys
import time

PACKAGES = os.path.join(os.environ["PROJECT"], "test", "package")
sys.path.insert(0, PACKAGES)
import npm_registry  # noqa: E402
import python_index  # noqa: E402


class ImportSources:
    """`places`: what stands for them in a case's words."""

    def __init__(self, directory):
        self.servers = []
        wheels, tarballs = os.path.join(directory, "wheels"), os.path.join(directory, "tarballs")
        os.mkdir(wheels)
        os.mkdir(tarballs)
        python_index.wheel(os.path.join(wheels, "words-1.0-py3-none-any.whl"), "words", "1.0", "words.py=WORD = 1")
        python_index.wheel(os.path.join(wheels, "app-1.0-py3-none-any.whl"), "app", "1.0", "app.py=def main(): pass",
                           "--requires", "words", "--entry", "app = app:main")
        npm_registry.pack(tarballs, "words", "1.0.0", "index.js=")
        npm_registry.pack(tarballs, "app", "1.0.0", "index.js=", "--json", '{"bin":{"app":"index.js"},"dependencies":{"words":"1"}}')
        self.places = {
            "debian": os.path.join(directory, "test.sources"),
            "pypi": self.serve("python_index.py", wheels) + "/simple",
            "npm": self.serve("npm_registry.py", tarballs),
        }

    def serve(self, program, directory):
        server = subprocess.Popen([sys.executable, os.path.join(PACKAGES, program), "serve", directory])
        self.servers.append(server)
        port = os.path.join(directory, "port")
        while not os.path.exists(port):
            if server.poll() is not None:
                raise RuntimeError(f"{program} has ended with {server.returncode}")
            time.sleep(0.02)
        with open(port) as file:
            return f"http://127.0.0.1:{file.read()}"

    def end(self):
        for server in self.servers:
            server.kill()
            server.wait()
