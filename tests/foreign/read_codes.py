"""Reads the codes in pictures as a telephone would: one JSON list of texts for each picture named."""

import json
import sys

import zxingcpp
from PIL import Image

for path in sys.argv[1:]:
    found = zxingcpp.read_barcodes(Image.open(path).convert("L"))
    print(json.dumps([{"format": str(code.format), "text": code.text} for code in found]))
