"""The shape space of the Dataset tab."""

import pytest

from kp.errors import ConfigError
from kp.synthetic.shape_modes import face_space
from kp.ui.dataset.shape_space import picture_html


def test_sliders_are_described_and_drawn() -> None:
    space = face_space()
    plain = picture_html(space, None, False, [0.0] * 10)
    moved = picture_html(space, None, False, [1.5, 0, 0, 0, -1, 0, 0, 0, 0, 2])
    assert "<b>The mean face</b></figcaption>" in plain
    assert (
        'alt="The mean face, turning: to the right (1.5), mouth: closed (1), colour of the light: orange (2)"' in moved
    )
    assert picture_html(space, None, True, [0.0] * 10) != plain != picture_html(space, 7, False, [0.0] * 10)
    with pytest.raises(ConfigError, match="at most 5 numbers"):
        picture_html(space, None, False, [9.0, *[0.0] * 9])


@pytest.mark.browser
def test_the_sliders_of_the_shape_space_redraw_the_face(app_url: str, chromium) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(app_url)
    page.click("#dataset-space > button")
    picture, caption = page.locator("#space-picture img"), page.locator("#space-picture figcaption")
    mean = picture.get_attribute("src")
    page.fill("#space-shape-1 input[type=number]", "1.5")
    page.keyboard.press("Enter")
    caption.filter(has_text="The mean face, turning: to the right (1.5)").wait_for()
    assert picture.get_attribute("src") != mean
    page.click("#space-new")
    caption.filter(has_text="Synthetic person").wait_for()
    assert page.input_value("#space-shape-1 input[type=number]") == "0"
    somebody = picture.get_attribute("src")
    page.click("#space-keypoints input")
    page.wait_for_function("before => document.querySelector('#space-picture img').src != before", arg=somebody)
    page.click("#space-keypoints input")
    page.click("#space-reset")
    caption.get_by_text("The mean face", exact=True).wait_for()
    assert picture.get_attribute("src") == mean
    page.close()
