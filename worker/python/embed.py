"""embed.py NAME INPUT OUTPUT: a Python source as a constant that worker/python/asgi_sources.h declares."""
import sys

name, source, output = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    text = file.read()
assert ')rhpy"' not in text
with open(output, "w", encoding="utf-8") as file:
    file.write(f'// Made from {source.rsplit("/", 1)[-1]}.\n#include "worker/python/asgi_sources.h"\n\n'
               f'const char rowhouse::worker::{name}[] = R"rhpy({text})rhpy";\n')
