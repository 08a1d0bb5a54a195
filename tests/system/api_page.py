"""docs/openapi.yaml: which operation a request is, and whether an answer is one that it may give."""
import functools
import pathlib
import re

import jsonschema
import yaml

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
PREFIX = "/v1"


@functools.cache
def page():
    return yaml.safe_load(PAGE.read_text())


def deref(node):
    """What a reference within the page stands for."""
    while "$ref" in node:
        found = page()
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


@functools.cache
def _validator(pointer):
    schema = {"$ref": pointer, "components": page()["components"]}
    return jsonschema.Draft202012Validator(schema)


def operations():
    """Every (method, path as a pattern, operation)."""
    for path, item in page()["paths"].items():
        pattern = re.compile(PREFIX + re.sub(r"\{\w+\}", "[^/]+", path) + r"\Z")
        for method in ("get", "put", "post", "patch", "delete"):
            if method in item:
                yield method.upper(), pattern, path, item[method]


def find_operation(method, target):
    path = target.split("?")[0]
    found = [operation for word, pattern, _, operation in operations() if word == method and pattern.match(path)]
    return found[0] if found else None


def schema_of(response, is_text):
    content = deref(response)["content"]
    return next(content[kind] for kind in content if kind.startswith("text/") == is_text)["schema"]["$ref"]


def check_answer(method, target, status, body):
    operation = find_operation(method, target)
    if operation is None or str(status) not in operation["responses"]:
        assert status >= 400, f"{method} {target} answered with {status}, which the page does not have"
        pointer = "#/components/schemas/Error"
    else:
        pointer = schema_of(operation["responses"][str(status)], isinstance(body, str))
    bodies = body if pointer.endswith("/LogLine") else [body]
    problems = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for each in bodies
                for e in _validator(pointer).iter_errors(each)]
    assert not problems, f"{method} {target}: {status} {body} is not what the page says: {problems}"
