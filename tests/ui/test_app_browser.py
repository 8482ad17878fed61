"""Every tab of the app in a browser: accessibility, keyboard, and the app without data."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from kp.ui.app import TABS

PATIENCE = 120  # seconds; the machine may be busy
# What is on a tab's first screen once it is filled, and its most important button.
FILLED = {
    "Dataset": "#dataset-stages li",
    "Train": "#kp-train-charts svg",
    "Evaluate": "#evaluate-table table",
    "Predict": "#predict-status:not(:empty)",
    "Feature maps": "#inside-detail h2",
}
PRIMARY = {
    "Dataset": "#dataset-next",
    "Train": "#kp-train-start",
    "Evaluate": "#evaluate-run",
    "Predict": "#predict-find",
    "Feature maps": "#inside-others",
}


def open_tab(page, title: str) -> None:
    """Choose a tab; on a narrow screen it may be behind the button "More tabs"."""
    tab = page.locator(f"[role=tab][data-tab-id='{title}']")
    if not tab.count():
        page.get_by_label("More tabs").click()
        tab = page.locator(".overflow-dropdown button", has_text=title)
    tab.click()


def opened(page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector(FILLED["Dataset"], timeout=PATIENCE * 1000)


def visit_tabs(page, check: Callable[[str], None]) -> None:
    """Open each tab, wait until it is filled, and check it."""
    for title in TABS:
        open_tab(page, title)
        page.locator(FILLED[title]).first.wait_for()
        page.wait_for_function("!document.querySelector('.pending')")  # what is being computed is pale
        check(title)


def violations(page) -> list[str]:
    """Serious and critical faults by axe."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]} {node.get('failureSummary', '')}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_every_tab_is_accessible(app_url: str, chromium, width: int, height: int) -> None:
    """Light and dark: no serious fault by axe, no horizontal scrolling, no error, no request to another host."""
    page, calls, errors, wrong = chromium.new_page(viewport={"width": width, "height": height}), [], [], {}
    page.on("request", lambda request: calls.append(urlsplit(request.url)))
    page.on("pageerror", lambda error: errors.append(str(error)))

    def check(title: str) -> None:
        room, needed = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
        assert needed <= room, f"{title} is {needed} pixels wide"
        for theme in ("light", "dark"):
            page.evaluate("dark => document.body.classList.toggle('dark', dark)", theme == "dark")
            if found := violations(page):
                wrong[title, theme] = found

    opened(page, f"{app_url}?__theme=dark")
    assert "dark" in page.get_attribute("body", "class")  # that is how it is made dark
    page.add_style_tag(content="*, ::before, ::after { transition: none !important }")  # colours fade over
    visit_tabs(page, check)
    page.close()
    assert not wrong and not errors
    assert {call.netloc for call in calls if call.scheme not in ("data", "blob")} == {urlsplit(app_url).netloc}


@pytest.mark.browser
def test_the_keyboard_reaches_every_tab_and_its_button(app_url: str, chromium) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    opened(page, app_url)

    def press_until(selector: str) -> None:
        for _ in range(200):  # the focus goes back to the top where a grid of pictures is filled anew
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        pytest.fail(f"200 times Tab did not lead to {selector}")

    for title in TABS:
        page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
        page.locator("#kp-picker input").focus()
        press_until(f"[role=tab][data-tab-id='{title}']")
        page.keyboard.press("Enter")
        page.locator(FILLED[title]).first.wait_for()
        page.wait_for_selector(f"{PRIMARY[title]}:not([disabled])")
        press_until(PRIMARY[title])
    page.close()


@pytest.mark.browser
def test_without_data_every_tab_works_on_synthetic_faces_with_a_notice(empty_app_url: str, chromium) -> None:
    page, errors = chromium.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    opened(page, empty_app_url)

    def check(title: str) -> None:
        page.wait_for_selector(f"{PRIMARY[title]}:not([disabled])")
        line = page.locator(
            "[role=tabpanel]:visible .kp-notice, [role=tabpanel]:visible .kp-note", has_text="synthetic"
        )  # case does not count
        assert line.count() or title == "Feature maps"

    visit_tabs(page, check)
    assert not page.get_by_test_id("toast-body").count() and not errors
    page.close()
