"""Prints what in a module breaks the competition's rules, one line each: `rules.py MODEL.PY`."""

import ast
import sys

ALLOWED = set("""
torch torch.nn torch.nn.functional torch.cuda.amp torchvision torchvision.models torchvision.transforms torchaudio
transformers timm einops safetensors safetensors.torch flash_attn
PIL PIL.Image cv2 skimage decord numpy scipy scipy.ndimage scipy.signal fvcore ultralytics
math functools typing collections dataclasses enum abc pathlib
""".split())
# Modules that may not be reached through another one either.
BLOCKED_IMPORTS = set("""
os sys subprocess shutil socket requests urllib http asyncio aiohttp httpx ftplib smtplib telnetlib pickle marshal
shelve dill cloudpickle joblib importlib builtins code runpy numba cython ctypes cffi mmap signal multiprocessing
concurrent threading apex deepspeed tensorboard wandb mlflow boto3 google azure sqlite3 psycopg2 pymongo redis tempfile
glob h5py pty tty termios
""".split())
# Names that reach the interpreter itself. The last ones are on no list, and nobody knows how they are read.
BLOCKED = set("eval exec compile __import__ getattr setattr globals locals hasattr delattr vars open".split())
# Of attributes it cannot be told whose they are: `t = torch` is another name of torch.
BLOCKED_ATTRIBUTES = set("""
eval exec compile hub load_url os sys subprocess builtins importlib ctypes jit cpp_extension ctypeslib
""".split())
BLOCKED_MODULES = ("torch.utils.cpp_extension", "torch.jit.script", "torch.jit.trace",
                   "numpy.ctypeslib")
# Of the names with two underscores on each side; the others lead to the interpreter.
PLAIN = {"__init__", "__name__", "__version__"}


def broken_rules(tree):
    modules = imported(tree)
    inner = {node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield from broken_import(node, name.name)
        elif isinstance(node, ast.ImportFrom):
            yield from broken_import_from(node)
        elif isinstance(node, ast.Name):
            if node.id in BLOCKED:
                yield node, f"call of {node.id}"
            yield from hidden(node, node.id)
        elif isinstance(node, ast.Attribute):
            if node.attr in BLOCKED_ATTRIBUTES:
                yield node, f"attribute {node.attr}"
            yield from hidden(node, node.attr)
            if node not in inner:
                yield from blocked_module(node, full_name(node, modules))


def imported(tree):
    """The modules that names stand for."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                whole = name.name if name.asname else name.name.partition(".")[0]
                names[name.asname or whole] = whole
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for name in node.names:
                names[name.asname or name.name] = f"{node.module}.{name.name}"
    return names


def full_name(node, modules):
    """Of a chain of attributes of a module; of nothing else."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in modules:
        return ""
    return ".".join([modules[node.id], *reversed(parts)])


def broken_import(node, module):
    if module not in ALLOWED:
        yield node, f"import of {module}, which is not on the competition's list"
    yield from blocked_module(node, module)


def broken_import_from(node):
    if node.level:
        yield node, "relative import"
        return
    yield from broken_import(node, node.module)
    for name in node.names:
        if name.name == "*":
            yield node, f"import of everything in {node.module}"
        if name.name in BLOCKED_ATTRIBUTES:
            yield node, f"import of {name.name}"
        yield from hidden(node, name.name)
        yield from blocked_module(node, f"{node.module}.{name.name}")


def blocked_module(node, name):
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        reached = ".".join(parts[:end])
        if reached in BLOCKED_MODULES:
            yield node, f"use of {reached}"
        elif end > 1 and parts[end - 1] in BLOCKED_IMPORTS and reached not in ALLOWED:
            yield node, f"use of {reached}, which is {parts[end - 1]}"


def hidden(node, name):
    if name.startswith("__") and name.endswith("__") and name not in PLAIN | BLOCKED:
        yield node, f"use of {name}"


def main():
    path = sys.argv[1]
    try:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read(), path)
    except (SyntaxError, ValueError) as error:
        print(f"it is no Python: {error}")
        return
    for line, what in sorted({(node.lineno, what) for node, what in broken_rules(tree)}):
        print(f"line {line}: {what}")


if __name__ == "__main__":
    main()
