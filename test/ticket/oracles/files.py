"""How expected values are kept: lists as lines of JSON, arrays of whole numbers as safetensors."""
import array
import json
import pathlib
import sys

EXPECTED = pathlib.Path(__file__).parent / "expected"
TYPES = {"I16": "h", "U16": "H"}


def write_lines(path, values):
    pathlib.Path(path).write_text("".join(json.dumps(value, separators=(",", ":")) + "\n" for value in values))


def read_lines(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


def little_endian(numbers):
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def write_arrays(path, arrays):
    """arrays: name -> (type, shape, numbers). The format is that of docs of safetensors: the header's size in 64 bits,
    the header in JSON, the numbers."""
    header, data = {}, b""
    for name, (kind, shape, numbers) in arrays.items():
        numbers = little_endian(array.array(TYPES[kind], numbers)).tobytes()
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(numbers)]}
        data += numbers
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(len(text).to_bytes(8, "little") + text + data)


def read_arrays(path):
    """name -> array of numbers, shape forgotten."""
    data = pathlib.Path(path).read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    arrays = {}
    for name, entry in json.loads(data[8:begin]).items():
        first, last = entry["data_offsets"]
        arrays[name] = little_endian(array.array(TYPES[entry["dtype"]], data[begin + first:begin + last]))
    return arrays
