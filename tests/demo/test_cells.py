from __future__ import annotations

import nbformat

from demo.cells import CellOutputs, plain

STATES = "application/vnd.jupyter.widget-state+json"


def fresh() -> tuple[nbformat.NotebookNode, nbformat.NotebookNode, CellOutputs]:
    cell = nbformat.v4.new_code_cell("x")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    return notebook, cell, CellOutputs(cell, notebook)


def test_printed_text_is_joined_and_told_as_it_comes() -> None:
    _, cell, outputs = fresh()
    told = [list(outputs.take("stream", {"name": "stdout", "text": text})) for text in ("one\n", "two\n")]
    assert told == [[("output", "one\n")], [("output", "two\n")]]
    assert [output.text for output in cell.outputs] == ["one\ntwo\n"]


def test_a_display_that_is_updated_is_one_output() -> None:
    _, cell, outputs = fresh()
    shown = {"data": {"text/plain": "old"}, "metadata": {}, "transient": {"display_id": "d"}}
    assert list(outputs.take("display_data", shown)) == [("output", "old")]
    assert list(outputs.take("update_display_data", {**shown, "data": {"text/plain": "new"}})) == [("live", "new")]
    assert [output.data for output in cell.outputs] == [{"text/plain": "new"}]


def test_output_is_cleared_when_there_is_something_new_to_show() -> None:
    _, cell, outputs = fresh()
    list(outputs.take("stream", {"name": "stdout", "text": "old"}))
    list(outputs.take("clear_output", {"wait": True}))
    assert [output.text for output in cell.outputs] == ["old"]
    list(outputs.take("stream", {"name": "stdout", "text": "new"}))
    assert [output.text for output in cell.outputs] == ["new"]


def test_an_error_is_told_without_colours() -> None:
    _, cell, outputs = fresh()
    failed = {"ename": "ValueError", "evalue": "no", "traceback": ["\x1b[31mValueError\x1b[0m: no"]}
    assert list(outputs.take("error", failed)) == [("error", "ValueError: no")]
    assert cell.outputs[0].ename == "ValueError"


def test_widgets_are_kept_with_the_notebook_and_their_text_is_told_live() -> None:
    notebook, _, outputs = fresh()
    state = {"_model_name": "HTMLModel", "_model_module": "controls", "_model_module_version": "2", "value": "<b>0</b>"}
    opened = {"comm_id": "w", "target_name": "jupyter.widget", "data": {"state": state}}
    assert list(outputs.take_widget("comm_open", opened, [])) == [("live", "0")]
    changed = {"comm_id": "w", "data": {"method": "update", "state": {"value": "<p>round 3</p>"}, "buffer_paths": []}}
    assert list(outputs.take_widget("comm_msg", changed, [])) == [("live", "round 3")]
    assert notebook.metadata.widgets[STATES]["state"]["w"]["state"]["value"] == "<p>round 3</p>"
    nbformat.validate(notebook)


def test_html_is_read_as_a_person_sees_it() -> None:
    assert plain(
        "<style>p { a: b }</style><table><tr><td>one</td> <td>&lt;two&gt;</td></tr><tr><td>three</td></tr></table>"
    ) == ("one <two>\nthree")
