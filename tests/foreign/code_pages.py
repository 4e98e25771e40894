"""Prints what Python's codecs know of the upper half of each code page: name, then 128 characters, null where none."""

import json


def character(codec, byte):
    try:
        return bytes([byte]).decode(codec)
    except UnicodeDecodeError:
        return None


for codec in ("cp437", "cp858", "cp1252"):
    print(json.dumps([codec, [character(codec, byte) for byte in range(0x80, 0x100)]]))
