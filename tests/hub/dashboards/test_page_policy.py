from __future__ import annotations

from flip_hub.dashboards.page_policy import content_security_policy


def directives(policy: str) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in policy.split("; "))


def test_a_pages_scripts_reach_this_service_and_no_other() -> None:
    policy = directives(content_security_policy("https", "hub.example"))
    assert policy["connect-src"] == "https://hub.example/services/dashboards/ wss://hub.example/services/dashboards/"
    assert policy["default-src"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"


def test_a_page_opens_no_other_page_of_the_hub() -> None:
    sandbox = directives(content_security_policy("https", "hub.example"))["sandbox"].split()
    assert set(sandbox) == {"allow-scripts", "allow-same-origin"}


def test_nothing_is_loaded_from_elsewhere() -> None:
    policy = directives(content_security_policy("https", "hub.example"))
    assert not any("*" in sources or "http" in sources for name, sources in policy.items() if name != "connect-src")
