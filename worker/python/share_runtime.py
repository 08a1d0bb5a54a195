"""What an interpreter gets that shares its process with other apps', before its app is imported: a log, an environment
and arguments of its own, and a guard against extension modules that would break in it.

`extension_fault` is the C++ side.
"""
import importlib.machinery
import os
import sys

import _posixsubprocess

extension_fault = None


def settle(log, app, variables, argument, library):
    """`library`: the directory of the extension modules that come with Python."""
    open_streams(log)
    sys.argv[:] = [argument]
    own_environment(variables)
    guard_extensions(app, library)


def open_streams(log):
    for name in ("stdout", "stderr"):
        former = getattr(sys, name)
        former.flush()
        stream = open(log, "w", buffering=1, encoding=former.encoding, errors=former.errors, closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def own_environment(variables):
    """os.environ is this interpreter's; the process's environment, which C code sees, is what all apps have in common.

    What a subprocess gets without `env` is what it would get if the app were alone: os.environ.
    """
    def leave_process_alone(*_):
        pass

    os.putenv = os.unsetenv = leave_process_alone
    if hasattr(os.environ, "putenv"):  # before 3.9
        for mapping in (os.environ, os.environb):
            mapping.putenv = mapping.unsetenv = leave_process_alone
    for name, value in variables:
        os.environb[name] = value

    fork_exec = _posixsubprocess.fork_exec

    def fork_exec_with_environment(*arguments):
        if arguments[5] is None:
            environment = [name + b"=" + value for name, value in os.environb.items()]
            arguments = (*arguments[:5], environment, *arguments[6:])
        return fork_exec(*arguments)

    _posixsubprocess.fork_exec = fork_exec_with_environment


def guard_extensions(app, library):
    loader = importlib.machinery.ExtensionFileLoader
    advice = (f"take 'share' out of app '{app}' in the manifest: it then has a process of its own, in which this module "
              "works")

    def advise(method):
        def with_advice(self, argument):
            try:
                return method(self, argument)
            except ImportError as error:
                if "interpreter" not in str(error) and "per process" not in str(error) or advice in str(error):
                    raise
                raise ImportError(f"{error}; {advice}", name=error.name, path=error.path) from error
        return with_advice

    create = loader.create_module

    def create_module(self, spec):
        module = create(self, spec)
        if not spec.origin.startswith(library):
            fault = extension_fault(module)
            if fault is not None:
                sys.modules.pop(spec.name, None)
                raise ImportError(f"module {spec.name} does not support loading in subinterpreters: {fault}",
                                  name=spec.name, path=spec.origin)
        return module

    loader.create_module = advise(create_module)
    loader.exec_module = advise(loader.exec_module)
