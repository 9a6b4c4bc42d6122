"""The design system's components: each is drawn once for the same words, and looked up the next time.

A component's macro is a pure function of its parameters, and slow (a tag alone is three templates and fifty look-ups);
a page has dozens. Templates import them as its documentation says; this loader stands in front of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, Undefined
from markupsafe import Markup

_PACKAGE = "nhsuk_frontend_jinja"
_OWN = "drawn-anew/"
_MACROS = re.compile(r"nhsuk/components/[a-z-]+/macro\.jinja")
_NAME = re.compile(r"\{%-? macro (\w+)\(")
_KEPT = 1_000
"""Drawings of each component."""
_LONGEST = 2_000
"""Characters: a long text is on one page only, and is not kept."""
_PLAIN = frozenset({str, Markup, int, float, bool, type(None)})

Drawn = Callable[..., Markup]


class Components(BaseLoader):
    """Loads nhsuk-frontend's templates, and hands out its macros with a memory."""

    def __init__(self) -> None:
        self._package = PackageLoader(_PACKAGE)

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Callable[[], bool] | None]:
        """A template of the package, or the few lines that stand for one of its macros."""
        if template.startswith(_OWN):
            return self._package.get_source(environment, template.removeprefix(_OWN))
        source, path, is_current = self._package.get_source(environment, template)
        if _MACROS.fullmatch(template) and len(names := _NAME.findall(source)) == 1:
            return f'{{% set {names[0]} = drawn_once("{template}", "{names[0]}") %}}', path, is_current
        return source, path, is_current


def install(environment: Environment, loader: BaseLoader) -> None:
    """Let an environment's templates come from a loader, and the design system's components from its package."""
    environment.loader = ChoiceLoader([loader, Components()])

    @cache
    def drawn_once(template: str, name: str) -> Drawn:
        return _with_memory(getattr(environment.get_template(_OWN + template).module, name))

    environment.globals["drawn_once"] = drawn_once


def _with_memory(macro: Drawn) -> Drawn:
    kept: dict[Any, Markup] = {}

    def draw(params: Any = None, caller: Drawn | None = None) -> Markup:
        if caller is not None:
            return macro(params, caller=caller)
        try:
            key = _key(params)
        except TypeError:
            return macro(params)
        found = kept.get(key)
        if found is None:
            found = macro(params)
            if len(found) <= _LONGEST:
                if len(kept) >= _KEPT:
                    kept.clear()
                kept[key] = found
        return found

    return draw


def _key(value: Any) -> Any:
    """What tells parameters apart, with their types: ``1`` and ``True``, text and markup are drawn differently.

    Raises:
        TypeError: a type of which it is not known that equal ones look the same.
    """
    kind = type(value)
    if kind in _PLAIN:
        return kind, value
    if kind is dict:
        return tuple((name, _key(item)) for name, item in value.items())
    if kind in (list, tuple):
        return kind, *map(_key, value)
    if isinstance(value, str):
        return kind, str(value)
    if isinstance(value, Undefined):
        return (Undefined,)
    raise TypeError(kind)
