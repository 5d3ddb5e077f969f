"""Prints what in a module breaks the competition's rules, one line each: `rules.py MODEL.PY`."""

import ast
import sys

ALLOWED = set("""
torch torch.nn torch.nn.functional torch.cuda.amp torchvision torchvision.models torchvision.transforms torchaudio
transformers timm einops safetensors safetensors.torch flash_attn
PIL PIL.Image cv2 skimage decord numpy scipy scipy.ndimage scipy.signal fvcore ultralytics
math functools typing collections dataclasses enum abc pathlib
""".split())
# Names that reach the interpreter itself. The last ones are on no list, and nobody knows how they are read.
BLOCKED = set("eval exec compile __import__ getattr setattr globals locals hasattr delattr vars open".split())
BLOCKED_ATTRIBUTES = set("eval exec compile hub load_url".split())
BLOCKED_MODULES = ("torch.utils.cpp_extension", "torch.jit.script", "torch.jit.trace",
                   "numpy.ctypeslib")


def broken_rules(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield from broken_import(node, name.name)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield node, "relative import"
            else:
                yield from broken_import(node, node.module)
                for name in node.names:
                    yield from blocked_module(node, f"{node.module}.{name.name}")
        elif isinstance(node, ast.Name) and node.id in BLOCKED:
            yield node, f"call of {node.id}"
        elif isinstance(node, ast.Attribute):
            if node.attr in BLOCKED_ATTRIBUTES:
                yield node, f"attribute {node.attr}"
            yield from blocked_module(node, ast.unparse(node))


def broken_import(node, module):
    if module not in ALLOWED:
        yield node, f"import of {module}, which is not on the competition's list"
    yield from blocked_module(node, module)


def blocked_module(node, name):
    if any(name == blocked for blocked in BLOCKED_MODULES):
        yield node, f"use of {name}"


def main():
    path = sys.argv[1]
    try:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read(), path)
    except (SyntaxError, ValueError) as error:
        print(f"it is no Python: {error}")
        return
    for node, what in broken_rules(tree):
        print(f"line {node.lineno}: {what}")


if __name__ == "__main__":
    main()
