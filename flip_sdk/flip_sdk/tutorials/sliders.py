"""A drawing with sliders, and the drawing alone where there are no widgets: on paper, in a viewer, in a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from flip_sdk.dashboards.pictures import Picture

Draw = Callable[..., Picture]


class Sliders:
    """A drawing whose numbers can be moved.

    Attributes:
        choices: by argument of the drawing, what it may be.
        values: what each is now.
    """

    def __init__(self, draw: Draw, choices: Mapping[str, Sequence[float]], values: Mapping[str, float]) -> None:
        self._draw = draw
        self.choices = {name: tuple(given) for name, given in choices.items()}
        self.values = dict(values)

    def picture(self) -> Picture:
        """The drawing as the sliders stand."""
        return self._draw(**self.values)

    def move(self, **values: float) -> Picture:
        """Move sliders, and draw."""
        self.values |= values
        return self.picture()

    def __repr__(self) -> str:
        return repr(self.picture())

    def _repr_html_(self) -> str:
        stands = ", ".join(f"{name} {value:g}" for name, value in self.values.items())
        return f"<p>{escape(stands)}</p>{self.picture()._repr_html_()}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The widget for a notebook that is open, and the still drawing for all others."""
        widget = self._widget()
        live: dict[str, Any] = widget._repr_mimebundle_() if widget is not None else {}
        return {**live, "text/html": self._repr_html_(), "text/plain": repr(self)}

    def _widget(self) -> Any:
        try:
            import ipywidgets
        except ImportError:
            return None
        shown = ipywidgets.HTML(self.picture()._repr_html_())
        style, layout = {"description_width": "6em"}, {"width": "32em"}
        handles = []
        for name, given in self.choices.items():
            options = [(f"{one:g}", one) for one in given]
            handle = ipywidgets.SelectionSlider(
                options=options, value=self.values[name], description=name, style=style, layout=layout
            )
            handle.observe(self._moved(name, shown), names="value")
            handles.append(handle)
        return ipywidgets.VBox([*handles, shown])

    def _moved(self, name: str, shown: Any) -> Callable[[Any], None]:
        def moved(change: Any) -> None:
            shown.value = self.move(**{name: change["new"]})._repr_html_()

        return moved


def sliders(draw: Draw, **choices: Sequence[float]) -> Sliders:
    """Show a drawing with a slider for each of its arguments; the middle choice comes first.

    Args:
        draw: makes the drawing out of one value of each.
        choices: the values, in order.
    """
    return Sliders(draw, choices, {name: given[len(given) // 2] for name, given in choices.items()})
