"""Tools of saboteurs: putting one function in the place of another."""

import sys
from typing import Any


def replace(original: Any, other: Any) -> None:
    """Put `other` where `original` is, in every module that has it under any name: `from x import y` makes copies."""
    for module in list(sys.modules.values()):
        if module is None or not module.__name__.startswith("blindrelay."):
            continue
        for name, value in list(vars(module).items()):
            if value is original:
                setattr(module, name, other)
