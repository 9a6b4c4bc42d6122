from __future__ import annotations

import stat
from pathlib import Path

import pytest
from flip_hub.config import HubConfig
from flip_hub.jupyterhub import home


@pytest.fixture(autouse=True)
def _own_notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "notebooks"
    (source / "tutorials").mkdir(parents=True)
    (source / "tutorials" / "01.ipynb").write_text("first")
    (source / "tutorials" / ".ipynb_checkpoints").mkdir()
    monkeypatch.setattr(home, "notebooks", lambda: source)


def test_a_new_home_has_the_tutorials_and_is_its_persons_alone(tmp_path: Path) -> None:
    made = home.prepare_home(HubConfig(home=tmp_path / "hub"), "project-one", "ada")
    assert made == tmp_path / "hub" / "workspaces" / "project-one" / "ada"
    assert (made / "tutorials" / "01.ipynb").read_text() == "first"
    assert not (made / "tutorials" / ".ipynb_checkpoints").exists()
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_a_researchers_own_files_are_never_overwritten(tmp_path: Path) -> None:
    config = HubConfig(home=tmp_path / "hub")
    made = home.prepare_home(config, "project-one", "ada")
    (made / "tutorials" / "01.ipynb").write_text("with my results")
    home.prepare_home(config, "project-one", "ada")
    assert (made / "tutorials" / "01.ipynb").read_text() == "with my results"


def test_no_two_projects_share_a_home(tmp_path: Path) -> None:
    config = HubConfig(home=tmp_path / "hub")
    assert home.prepare_home(config, "one", "ada") != home.prepare_home(config, "two", "ada")


def test_the_notebooks_of_this_source_are_found() -> None:
    package = Path(home.flip_hub.__file__).resolve().parent
    assert (package.parents[1] / "notebooks" / "tutorials").is_dir()


def test_what_is_in_the_way_of_incoming_is_kept_beside_it(tmp_path: Path) -> None:
    config = HubConfig(home=tmp_path / "hub")
    made = home.prepare_home(config, "one", "ada")
    assert (made / "incoming").is_dir()
    (made / "incoming" / "own.csv").write_text("mine")
    home.prepare_home(config, "one", "ada")
    assert not any((made / "incoming").iterdir())
    assert [path.read_text() for path in made.glob("incoming-of-mine-*/own.csv")] == ["mine"]
    (made / "incoming").rmdir()
    (made / "incoming").symlink_to("/etc")
    home.prepare_home(config, "one", "ada")
    assert not (made / "incoming").is_symlink()


def test_without_a_sandbox_incoming_is_a_link(tmp_path: Path) -> None:
    config = HubConfig(home=tmp_path / "hub")
    made = home.prepare_home(config, "one", "ada")
    for _ in range(2):
        home.link_incoming(config, "one", "ada")
    (config.incoming / "one" / "codes.csv").write_text("code")
    assert (made / "incoming" / "codes.csv").read_text() == "code"
    home.prepare_home(config, "one", "ada")
    assert not (made / "incoming").is_symlink()
