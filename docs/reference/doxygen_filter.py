"""Prints a public header as Doxygen wants it: doxygen_filter.py HEADER, its INPUT_FILTER."""
import os
import sys

import c_headers
import cpp_headers


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


path = sys.argv[1]
folder = os.path.dirname(os.path.abspath(path)).removesuffix("/detail")
functions = c_headers.functions_of([read(os.path.join(folder, name)) for name in ("lockfast.h", "sodium.h", "gcrypt.h")])
sys.stdout.reconfigure(encoding="utf-8")
if path.endswith(".h"):
    print(c_headers.marked(read(path), functions))
else:
    print(cpp_headers.marked(read(path), os.path.basename(path), functions))
