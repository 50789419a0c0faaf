"""What the guide's preload command imports: fills the model cache through the ticket-processor program."""

import pathlib
import shutil
import subprocess


def _program():
    """The ticket-processor of this module's own package, otherwise the one on PATH."""
    # <package>/lib/pythonX.Y/site-packages/src/processor/models.py
    parents = pathlib.Path(__file__).resolve().parents
    if len(parents) > 5 and (parents[5] / "bin" / "ticket-processor").is_file():
        return str(parents[5] / "bin" / "ticket-processor")
    found = shutil.which("ticket-processor")
    if found is None:
        raise FileNotFoundError("ticket-processor is neither beside this module's package nor on PATH")
    return found


def preload_all_models():
    """Runs "ticket-processor preload-models", whose progress is seen as it comes; raises RuntimeError if it fails."""
    process = subprocess.Popen([_program(), "preload-models"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = []
    for line in process.stdout:
        output.append(line)
        print(line, end="", flush=True)
    code = process.wait()
    if code != 0:
        raise RuntimeError(f"preload-models ended with code {code}:\n{''.join(output[-20:])}")
